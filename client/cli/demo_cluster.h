// Real `decreed` processes in a fresh directory, on ports that the kernel chose.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/child_process.h"
#include "client/cli/output.h"
#include "client/cli/temp_dir.h"
#include "decree/client.h"

namespace decree::cli {

struct DemoNode {
  ChildProcess process;
  std::vector<std::string> command;
  std::string data;
  std::uint32_t id = 0;
  std::uint16_t rpc = 0;
  std::uint16_t http = 0;
};

class DemoCluster {
 public:
  // `decreed`: path of the daemon; `shards` of the new cluster.
  DemoCluster(std::string decreed, TempDir directory, std::uint32_t shards)
      : decreed_(std::move(decreed)), directory_(std::move(directory)), shards_(shards) {}
  ~DemoCluster() { Stop(); }

  // In a fresh directory of that name. `decreed`: empty for the program beside this one.
  static Status Make(const std::string& decreed, const std::string& name, std::uint32_t shards,
                     std::optional<DemoCluster>& into);
  Result<Client> Connect(std::chrono::milliseconds timeout) const;

  // Starts one more node and waits until it is registered. The error quotes the daemon's last
  // words.
  Status AddNode();
  Status Restart(std::size_t index);  // the same data, other ports
  void Kill(std::size_t index) { nodes_[index].process.Kill(); }
  // Ends all nodes in good order; false if one did not end by itself with status 0.
  bool Stop();

  const std::vector<DemoNode>& nodes() const { return nodes_; }
  std::vector<std::string> Endpoints() const;
  std::vector<std::uint16_t> HttpPorts() const;
  const std::string& directory() const { return directory_.path(); }
  void KeepFiles() { directory_.Keep(); }

 private:
  Status Await(DemoNode& node) const;
  std::string LastWords(const DemoNode& node) const;

  const std::string decreed_;
  TempDir directory_;
  const std::uint32_t shards_;
  std::vector<DemoNode> nodes_;
};

// So many nodes are up, every shard has its voters and a leader, and nothing moves.
bool Healthy(const json::value& cluster, std::size_t nodes);
Result<json::value> GetJson(Client& db, const std::string& target);
// Asks until `done` says so; an error when the time is over or the user gives up. `what` is for it.
Status AwaitCluster(Client& db, const std::string& target, const std::string& what,
                    std::chrono::seconds patience,
                    const std::function<bool(const json::value&)>& done);

}  // namespace decree::cli

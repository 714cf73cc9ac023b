// Who is this node? Decided once at start from what the disks remember and how it was told to join:
// data present: the node it was; empty and nobody to join: founder of a new cluster; empty with
// addresses: a new member. Worker 0 only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/node/catalogs.h"
#include "server/node/gathering.h"
#include "server/node/node_rpc.h"
#include "server/node/node_shared.h"

namespace decree::node {

struct BootResult {
  Identity identity;
  std::optional<ShardMap> map;  // the last one known; none for a founder before its first decree
};

class Boot : public std::enable_shared_from_this<Boot> {
 public:
  using Done = std::function<void(Result<BootResult>)>;
  Boot(NodeShared& node, Catalogs& catalogs, Done done);
  void Run();

 private:
  Result<std::optional<Identity>> LoadIdentity();
  void OnEachDisk(const std::function<Status(Catalog&)>& step);
  void Rejoin(const Identity& identity);
  static Status Adopt(Catalog& catalog, const Identity& identity, bool served);
  void Begin();
  Status SaveIdentity(const Identity& identity);
  void Found();
  Status WriteFoundersShells(NodeId node);
  void Gather();
  void Join(std::size_t next);
  void OnJoinAnswer(std::size_t asked, const RpcResponse& response);
  void Finish(Result<BootResult> result);

  NodeShared* node_;
  Catalogs* catalogs_;
  Done done_;
  std::optional<Error> lost_disk_;  // not all disks work
  std::string last_refusal_;
};

// The record this node registers under; `id` 0 before it has one.
rebalance::NodeRecord DescribeNode(const NodeShared& node, NodeId id);

}  // namespace decree::node

#include "client/cli/demo_cluster.h"

#include <fstream>
#include <iterator>
#include <thread>

#include "client/cli/interrupt.h"

namespace decree::cli {
namespace {

constexpr std::chrono::seconds kStartPatience{60};
constexpr std::chrono::seconds kStopPatience{15};
constexpr std::chrono::milliseconds kPoll{25};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string PortsPath(const DemoNode& node) { return node.data + ".ports"; }
std::string LogPath(const DemoNode& node) { return node.data + ".log"; }

Error GivenUp() { return Error(Errc::kCancelled, "interrupted"); }

}  // namespace

Status DemoCluster::Make(const std::string& decreed, const std::string& name, std::uint32_t shards,
                         std::optional<DemoCluster>& into) {
  const std::string program = decreed.empty() ? ProgramBeside("decreed") : decreed;
  if (program.empty()) return Error(Errc::kNotFound, "no `decreed` beside this program");
  auto directory = TempDir::Make(name);
  if (!directory) return directory.error();
  into.emplace(program, std::move(*directory), shards);
  return {};
}

Result<Client> DemoCluster::Connect(std::chrono::milliseconds timeout) const {
  ClientOptions options;
  options.endpoints = Endpoints();
  options.timeout = timeout;
  return Client::Connect(options);
}

Status DemoCluster::AddNode() {
  const std::string name = "node-" + std::to_string(nodes_.size() + 1);
  std::vector<std::string> command{decreed_,
                                   "--data",
                                   directory_.path() + "/" + name,
                                   "--listen",
                                   "127.0.0.1:0",
                                   "--http",
                                   "127.0.0.1:0",
                                   "--name",
                                   name,
                                   "--shards",
                                   std::to_string(shards_)};
  std::string join;
  for (const std::string& endpoint : Endpoints()) join += (join.empty() ? "" : ",") + endpoint;
  if (!join.empty()) command.insert(command.end(), {"--join", join});
  command.insert(command.end(), {"--ports-file", directory_.path() + "/" + name + ".ports"});
  auto process = ChildProcess::Start(command, directory_.path() + "/" + name + ".log");
  if (!process) return process.error();
  nodes_.push_back({std::move(*process), command, directory_.path() + "/" + name, 0, 0, 0});
  return Await(nodes_.back());
}

Status DemoCluster::Restart(std::size_t index) {
  DemoNode& node = nodes_[index];
  node.process.Kill();
  std::error_code ignored;
  std::filesystem::remove(PortsPath(node), ignored);
  auto process = ChildProcess::Start(node.command, LogPath(node));
  if (!process) return process.error();
  node.process = std::move(*process);
  return Await(node);
}

// The file appears once the node listens and is registered.
Status DemoCluster::Await(DemoNode& node) const {
  const auto deadline = std::chrono::steady_clock::now() + kStartPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (Interrupted()) return GivenUp();
    boost::system::error_code bad;
    const json::value ports = json::parse(ReadFile(PortsPath(node)), bad);
    if (!bad && Number(ports, "rpc") > 0) {
      node.id = static_cast<std::uint32_t>(Number(ports, "node"));
      node.rpc = static_cast<std::uint16_t>(Number(ports, "rpc"));
      node.http = static_cast<std::uint16_t>(Number(ports, "http"));
      return {};
    }
    if (!node.process.Running()) {
      return Error(Errc::kIo, node.data + " ended at once:\n" + LastWords(node));
    }
    std::this_thread::sleep_for(kPoll);
  }
  return Error(Errc::kUnavailable, node.data + " did not get ready in time:\n" + LastWords(node));
}

std::string DemoCluster::LastWords(const DemoNode& node) const {
  const std::string log = ReadFile(LogPath(node));
  return log.size() > 2000 ? log.substr(log.size() - 2000) : log;
}

std::vector<std::string> DemoCluster::Endpoints() const {
  std::vector<std::string> endpoints;
  for (const DemoNode& node : nodes_) {
    if (node.rpc != 0) endpoints.push_back("127.0.0.1:" + std::to_string(node.rpc));
  }
  return endpoints;
}

std::vector<std::uint16_t> DemoCluster::HttpPorts() const {
  std::vector<std::uint16_t> ports;
  for (const DemoNode& node : nodes_) ports.push_back(node.http);
  return ports;
}

bool DemoCluster::Stop() {
  bool good = true;
  for (DemoNode& node : nodes_) {
    good &= node.process.Running();
    node.process.AskToStop();
  }
  for (DemoNode& node : nodes_) good &= node.process.Stop(kStopPatience) == 0;
  nodes_.clear();
  return good;
}

bool Healthy(const json::value& cluster, std::size_t nodes) {
  return Number(cluster, "nodes_up") >= static_cast<double>(nodes) &&
         Number(cluster, "shards_under_replicated") == 0 &&
         Number(cluster, "shards_leaderless") == 0 && Number(cluster, "moves_active") == 0;
}

Result<json::value> GetJson(Client& db, const std::string& target) {
  const auto reply = db.Admin("GET", target);
  if (!reply) return reply.error();
  boost::system::error_code bad;
  json::value answer = json::parse(reply->body, bad);
  if (bad || reply->status >= 400) return Error(Errc::kIo, target + ": " + reply->body);
  return answer;
}

Status AwaitCluster(Client& db, const std::string& target, const std::string& what,
                    std::chrono::seconds patience,
                    const std::function<bool(const json::value&)>& done) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::string last = "no answer";
  while (std::chrono::steady_clock::now() < deadline) {
    if (Interrupted()) return GivenUp();
    const auto reply = db.Admin("GET", target);
    boost::system::error_code bad;
    if (reply) last = reply->body;
    const json::value answer = reply ? json::parse(reply->body, bad) : json::value();
    if (reply && reply->status < 400 && !bad && done(answer)) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return Error(Errc::kUnavailable, what + " did not come about; last seen: " + last);
}

}  // namespace decree::cli

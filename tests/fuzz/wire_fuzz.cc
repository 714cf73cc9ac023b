// Every body that travels between nodes and clients, or stands in a log record. The first byte of
// an input says which.
#include <array>
#include <memory>

#include "consensus/messages.h"
#include "consensus/output.h"
#include "kv/api/command.h"
#include "kv/api/rpc.h"
#include "kv/api/shard_map.h"
#include "server/node/node_rpc.h"
#include "tests/fuzz/fuzz_target.h"

namespace decree::fuzz {
namespace {

struct Body {
  void (*decode)(std::string_view bytes);
  std::string (*example)();
};

template <class T>
void Decodes(std::string_view bytes) {
  DecodesOrRefuses<T>(bytes);
}
template <class T>
std::string Plain() {
  return Encode(T{});
}

Command SomeCommand() {
  Command put{.kind = CommandKind::kPut, .key = "key", .value = "value", .ttl_ms = 30'000};
  put.condition = {.kind = ConditionKind::kVersionIs, .version = 300};
  put.session = {.client = 1u << 30, .sequence = 5, .acked_below = 4};
  return put;
}
CommandBatch SomeBatch() {
  return {.time_ms = 1'700'000'000'000, .commands = {SomeCommand(), SomeCommand()}};
}

consensus::Decree SomeDecree() {
  consensus::Decree decree;
  decree.kind = consensus::DecreeKind::kCommandBatch;
  decree.payload = std::make_shared<const std::string>(Encode(SomeBatch()));
  return decree;
}
consensus::Decree SomeSeal() {
  consensus::Decree decree;
  decree.kind = consensus::DecreeKind::kSeal;
  decree.move = MoveId{7};
  decree.next_voters.resize(3);
  return decree;
}

// All kinds of messages, as one turn of a node sends them.
std::vector<consensus::Envelope> SomeEnvelopes() {
  using namespace consensus;
  Promise promise;
  promise.slots = {{Slot{4}, true, {}, SomeDecree()}, {Slot{5}, false, {}, SomeSeal()}};
  Accept accept;
  accept.decrees = {SomeDecree(), SomeDecree()};
  Learned learned;
  learned.decrees = {SomeSeal()};
  Sealed sealed;
  sealed.next_voters.resize(3);
  std::vector<Envelope> envelopes;
  for (const Message& message : std::initializer_list<Message>{
           PreVote{}, PreVoteReply{}, Prepare{}, promise, accept, Accepted{}, Heartbeat{},
           HeartbeatReply{}, Learn{}, learned, sealed, TransferNow{}}) {
    envelopes.emplace_back().message = message;
  }
  return envelopes;
}

consensus::Persist SomePersist() {
  consensus::Persist persist;
  persist.promised.emplace();
  persist.votes = {{Slot{9}, {}, SomeDecree()}};
  persist.chosen = {{Slot{8}, SomeSeal()}};
  return persist;
}

ShardMap SomeMap() {
  ShardMap map;
  map.shards.resize(4);
  map.shards[2].replicas.resize(3);
  map.nodes = {{NodeId{1}, "127.0.0.1:4740", "127.0.0.1:4780"}};
  return map;
}

rebalance::NodeRecord SomeNode() {
  rebalance::NodeRecord node;
  node.name = "n1";
  node.disks.resize(2);
  return node;
}

node::NodeReport SomeReport() {
  node::NodeReport report;
  report.node = SomeNode();
  report.disks.resize(2);
  report.replicas.resize(2);
  report.replicas[0].ops_per_s = 0.5;
  return report;
}

rebalance::ReplicaStatus SomeStatus() {
  rebalance::ReplicaStatus status;
  status.leader_hint.emplace();
  status.config.voters.resize(3);
  status.digests = {{Slot{9}, "digest"}};
  return status;
}

node::ChangeMembers SomeChange() {
  node::ChangeMembers change;
  change.kind = node::ChangeKind::kSeal;
  change.next_voters.resize(3);
  return change;
}

const auto kBodies = std::to_array<Body>({
    {Decodes<std::vector<consensus::Envelope>>, [] { return Encode(SomeEnvelopes()); }},
    {Decodes<consensus::Persist>, [] { return Encode(SomePersist()); }},
    {Decodes<Hello>, [] { return Encode(Hello{.cluster = ClusterId{77}, .node = NodeId{2}}); }},
    {Decodes<RpcRequest>,
     [] { return Encode(RpcRequest{.method = Method::kWrite, .shard = ShardId{3}, .body = "b"}); }},
    {Decodes<RpcResponse>,
     [] { return Encode(RpcResponse{.code = Errc::kNotLeader, .detail = "x", .body = "b"}); }},
    {Decodes<CommandBatch>, [] { return Encode(SomeBatch()); }},
    {Decodes<Command>, [] { return Encode(SomeCommand()); }},
    {Decodes<CommandResult>, [] { return Encode(CommandResult{.version = 9, .detail = "d"}); }},
    {Decodes<ReadRequest>,
     [] {
       return Encode(ReadRequest{"key", Consistency::kStale});
     }},
    {Decodes<ReadResult>,
     [] {
       return Encode(ReadResult{"value", 3, 4});
     }},
    {Decodes<ScanRequest>, [] { return Encode(ScanRequest{.prefix = "p", .after = "q"}); }},
    {Decodes<ScanResult>,
     [] {
       return Encode(ScanResult{{{"k", "v", 1}, {"l", "w", 2}}, true});
     }},
    {Decodes<AdminRequest>,
     [] {
       return Encode(AdminRequest{"GET", "/v1/admin/nodes", "{}"});
     }},
    {Decodes<AdminResponse>,
     [] {
       return Encode(AdminResponse{202, "/v1/admin/moves/1"});
     }},
    {Decodes<ShardMap>, [] { return Encode(SomeMap()); }},
    {Decodes<node::JoinRequest>, [] { return Encode(node::JoinRequest{SomeNode()}); }},
    {Decodes<node::JoinAnswer>,
     [] {
       return Encode(node::JoinAnswer{NodeId{2}, SomeMap()});
     }},
    {Decodes<node::GatherAnswer>, [] { return Encode(node::GatherAnswer{.address = "a:1"}); }},
    {Decodes<node::NodeReport>, [] { return Encode(SomeReport()); }},
    {Decodes<node::ReportAnswer>, [] { return Encode(node::ReportAnswer{SomeMap()}); }},
    {Decodes<node::CreateReplica>, Plain<node::CreateReplica>},
    {Decodes<node::DestroyReplica>, Plain<node::DestroyReplica>},
    {Decodes<node::StatusRequest>, Plain<node::StatusRequest>},
    {Decodes<rebalance::ReplicaStatus>, [] { return Encode(SomeStatus()); }},
    {Decodes<node::ChangeMembers>, [] { return Encode(SomeChange()); }},
    {Decodes<node::SnapshotOpen>, Plain<node::SnapshotOpen>},
    {Decodes<node::SnapshotInfo>,
     [] {
       return Encode(node::SnapshotInfo{7, Slot{9}, {{"CURRENT", 16}, {"1.sst", 4096}}});
     }},
    {Decodes<node::SnapshotRead>,
     [] {
       return Encode(node::SnapshotRead{7, "1.sst", 0, 4096, node::Lane::kVoter});
     }},
    {Decodes<node::SnapshotClose>, Plain<node::SnapshotClose>},
    {Decodes<node::RelayedCall>, Plain<node::RelayedCall>},
});

void Run(std::string_view input) {
  Pieces pieces(input);
  const std::size_t which = pieces.Byte() % kBodies.size();
  kBodies[which].decode(pieces.Rest());
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  for (std::size_t i = 0; i < kBodies.size(); ++i) {
    seeds.push_back(Number(i, 1) + kBodies[i].example());
  }
  return seeds;
}

const Registration kWire{{"wire", Run, Seeds}};

}  // namespace
}  // namespace decree::fuzz

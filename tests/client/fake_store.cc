#include "tests/client/fake_store.h"

namespace decree::test {
namespace {

constexpr std::uint32_t kShards = 4;

}  // namespace

FakeStore::FakeStore()
    : server_(std::make_unique<FakeServer>(
          [this](const RpcRequest& request, const FakeServer::Respond& respond) {
            Handle(request, respond);
          })) {}

void FakeStore::AwaitSwallowed(int count) {
  for (int seen = swallowed_; seen < count; seen = swallowed_) swallowed_.wait(seen);
}

bool FakeStore::Swallow(bool wanted) {
  if (!wanted) return false;
  ++swallowed_;
  swallowed_.notify_all();
  return true;
}

void FakeStore::Handle(const RpcRequest& request, const FakeServer::Respond& respond) {
  switch (request.method) {
    case Method::kGetMap:
      return respond(FakeServer::Ok(Encode(Map())));
    case Method::kAdmin:
      return Admin(request, respond);
    case Method::kRead:
      return Read(request, respond);
    case Method::kWrite:
      return Write(request, respond);
    case Method::kScan:
      return Scan(request, respond);
    default:
      return respond({});
  }
}

ShardMap FakeStore::Map() const {
  ShardMap map = server_->OneNodeMap(kShards);
  if (neighbour.empty()) return map;
  map.nodes.push_back({NodeId{2}, neighbour, ""});
  for (ShardEntry& entry : map.shards) {
    entry.replicas.push_back({ReplicaId{2}, NodeId{2}, Incarnation{2}, true});
  }
  return map;
}

void FakeStore::Admin(const RpcRequest& request, const FakeServer::Respond& respond) {
  const auto call = Decode<AdminRequest>(request.body);
  const auto known = admin.find(call->method + " " + call->target);
  if (known != admin.end()) return respond(FakeServer::Ok(Encode(known->second)));
  AdminResponse echo;
  echo.status = 202;
  echo.location = "/elsewhere";
  echo.body = "{\"echo\":\"" + call->method + " " + call->target + "\"}";
  respond(FakeServer::Ok(Encode(echo)));
}

void FakeStore::Read(const RpcRequest& request, const FakeServer::Respond& respond) {
  if (Swallow(swallow_reads)) return;
  const auto read = Decode<ReadRequest>(request.body);
  const auto found = rows.find(read->key);
  if (found == rows.end()) {
    RpcResponse missing = FakeServer::Ok("");
    missing.code = Errc::kNotFound;
    return respond(missing);
  }
  respond(FakeServer::Ok(Encode(ReadResult{found->second, version, 0})));
}

bool FakeStore::Holds(const Condition& condition, const std::string* value) const {
  if (condition.kind == ConditionKind::kAbsent) return value == nullptr;
  if (condition.kind == ConditionKind::kValueIs) return value && *value == condition.value;
  if (condition.kind == ConditionKind::kVersionIs) return value && version == condition.version;
  return true;
}

void FakeStore::Write(const RpcRequest& request, const FakeServer::Respond& respond) {
  const auto command = Decode<Command>(request.body);
  const bool opens = command->kind == CommandKind::kOpenSession;
  if (!opens && Swallow(swallow_writes)) return;
  CommandResult result;
  const auto found = rows.find(command->key);
  if (!Holds(command->condition, found == rows.end() ? nullptr : &found->second)) {
    result.code = Errc::kPreconditionFailed;
    result.version = found == rows.end() ? 0 : version;
    return respond(FakeServer::Ok(Encode(result)));
  }
  result.version = ++version;
  if (command->kind == CommandKind::kDelete) {
    result.created = rows.erase(command->key) > 0;
  } else if (!opens) {
    result.created = rows.insert_or_assign(command->key, command->value).second;
  }
  respond(FakeServer::Ok(Encode(result)));
}

void FakeStore::Scan(const RpcRequest& request, const FakeServer::Respond& respond) {
  if (Swallow(swallow_scans)) return;
  const auto scan = Decode<ScanRequest>(request.body);
  ScanResult result;
  result.complete = true;
  for (auto row = rows.upper_bound(scan->after); row != rows.end(); ++row) {
    if (ShardOf(row->first, kShards) != request.shard) continue;
    if (!row->first.starts_with(scan->prefix)) continue;
    if (result.rows.size() == scan->limit) {
      result.complete = false;
      break;
    }
    result.rows.push_back({row->first, row->second, version});
  }
  respond(FakeServer::Ok(Encode(result)));
}

}  // namespace decree::test

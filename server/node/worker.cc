#include "server/node/worker.h"

#include <utility>

#include "kv/api/limits.h"
#include "kv/base/mark.h"
#include "server/node/control.h"
#include "server/node/node_shared.h"
#include "server/node/timed_reply.h"

namespace decree::node {
namespace {

// Wake-ups are rounded up to this, so that the heartbeats of all shards leave in one frame a peer.
constexpr std::int64_t kWakeGridNs = 5'000'000;

// Shards whose leader may be lost wake at most so fast on the average: 1,000 a second.
constexpr Duration kWakeSpread = 1ms;
// The first requests between two reports are timed, beyond those one of so many.
constexpr std::uint64_t kAllTimed = 64;
constexpr std::uint64_t kSampled = 16;

RpcResponse Refuse(Errc code, std::string detail = {}) {
  RpcResponse response;
  response.code = code;
  response.detail = std::move(detail);
  return response;
}

// Decodes a body and runs the handler, or refuses what does not decode.
template <class Body, class Handler>
void With(const RpcRequest& request, RpcReply& reply, Handler&& handler) {
  Result<Body> body = Decode<Body>(request.body);
  if (!body) return reply(Refuse(Errc::kInvalidArgument, "malformed request body"));
  handler(std::move(*body), std::move(reply));
}

// What is over a limit must not reach a log: see kv/api/limits.h.
template <class Body>
bool WithinLimits(const Body& body, const RpcReply& reply) {
  const Status limits = CheckLimits(body);
  if (!limits) reply(Refuse(limits.error().code(), limits.error().detail()));
  return static_cast<bool>(limits);
}

MachineFactory KvFactory(const NodeConfig& config) {
  return
      [&config](store::Engine& engine,
                const consensus::Config& genesis) -> Result<std::unique_ptr<store::StateMachine>> {
        auto machine = store::KvMachine::OpenWith(config.sessions, engine, genesis);
        if (!machine) return machine.error();
        return std::unique_ptr<store::StateMachine>(std::move(*machine));
      };
}

}  // namespace

// The node's own callers reach other nodes over the transport and this one by a post.
class Worker::NodeCourier : public Courier {
 public:
  explicit NodeCourier(Worker& worker) : worker_(&worker) {}
  // The Caller has a timer of its own for each attempt: calls that stay here need no second one.
  void Call(NodeId to, RpcRequest request, RpcReply reply) override {
    if (!to || to == worker_->node()) {
      return worker_->CallHere(std::move(request), std::move(reply));
    }
    worker_->Call(to, Channel::kControl, std::move(request), std::move(reply));
  }

 private:
  Worker* worker_;
};

Worker::Worker(NodeShared& node, Executor& executor)
    : node_(&node),
      executor_(&executor),
      courier_(std::make_unique<NodeCourier>(*this)),
      caller_(std::make_unique<Caller>(executor, *courier_)) {}

Worker::~Worker() { CloseAll(); }

NodeId Worker::node() const { return node_->node(); }
const NodeConfig& Worker::config() const { return node_->config; }
KeptLog& Worker::kept_log() { return node_->kept_log; }
MoveGate& Worker::move_gate(const store::Disk& disk) { return node_->move_gates.at(&disk); }
std::shared_ptr<SpaceLedger> Worker::space_ledger(const store::Disk& disk) {
  return node_->space_ledgers.at(&disk);
}
std::uint64_t Worker::map_version() const {
  return node_->map_version.load(std::memory_order_relaxed);
}

// ---- replicas ----

void Worker::OpenReplica(store::Disk& disk, const ReplicaShell& shell,
                         std::shared_ptr<SpacePromise> room, std::function<void(Status)> done) {
  if (hosts_.count(shell.key)) return done({});
  disk.RunInBackground([this, life = std::weak_ptr(life_), executor = executor_, disk = &disk,
                        shell, room = std::move(room), done = std::move(done)]() mutable {
    if (life.expired()) return;  // the node is gone, and only its disks still end
    auto rows = std::make_shared<ShardHost::Rows>(disk->OpenRows(shell.key));
    executor->Post([this, life, disk, shell, room, done, rows] {
      if (!life.expired()) done(OnRowsOpened(*disk, shell, room, std::move(*rows)));
    });
  });
}

Status Worker::OnRowsOpened(store::Disk& disk, const ReplicaShell& shell,
                            const std::shared_ptr<SpacePromise>& room, ShardHost::Rows rows) {
  if (closed_) return Error(Errc::kShuttingDown, "this node is stopping");
  if (closed_disks_.contains(&disk)) return Error(Errc::kUnavailable, "its disk was taken out");
  if (hosts_.count(shell.key)) return {};
  MachineFactory factory =
      shell.key.shard == kPlacementShard ? Control::PlacementFactory() : KvFactory(config());
  auto host =
      ShardHost::Open(*this, disk, shell.key, shell.genesis, std::move(factory), std::move(rows));
  if (!host) return host.error();
  if (room) (*host)->TakeRoom(room);
  hosts_[shell.key] = *host;
  (*host)->Start();
  return {};
}

void Worker::CloseReplica(ReplicaKey key) {
  const auto found = hosts_.find(key);
  if (found == hosts_.end()) return;
  snapshots_.DropReplica(key);
  const std::shared_ptr<ShardHost> host = std::move(found->second);
  hosts_.erase(found);
  const auto wake = wake_of_.find(key);
  if (wake != wake_of_.end()) {
    wakes_.erase({wake->second, key});
    wake_of_.erase(wake);
  }
  host->Close();
  HostChanged(*host);
}

void Worker::CloseAll() {
  closed_ = true;
  snapshots_.Clear();
  for (auto& [key, host] : hosts_) host->Close();
  hosts_.clear();
  wakes_.clear();
  wake_of_.clear();
}

void Worker::CloseDisk(const store::Disk& disk) {
  closed_disks_.insert(&disk);
  std::vector<ReplicaKey> gone;
  for (const auto& [key, host] : hosts_) {
    if (&host->disk() == &disk) gone.push_back(key);
  }
  for (const ReplicaKey& key : gone) CloseReplica(key);
}

std::shared_ptr<ShardHost> Worker::Find(ReplicaKey key) const {
  const auto found = hosts_.find(key);
  return found == hosts_.end() || found->second->closed() ? nullptr : found->second;
}

std::shared_ptr<ShardHost> Worker::FindShard(ShardId shard) const {
  std::shared_ptr<ShardHost> best;
  for (auto it = hosts_.lower_bound({shard, ReplicaId{}});
       it != hosts_.end() && it->first.shard == shard; ++it) {
    if (it->second->closed()) continue;
    // Of two replicas (a move between disks) the leader; else the older, which is the voter.
    if (!best || it->second->replica().role() == consensus::Role::kLeader) best = it->second;
  }
  return best;
}

void Worker::ForEach(const std::function<void(ShardHost&)>& visit) const {
  for (const auto& [key, host] : hosts_) {
    if (!host->closed()) visit(*host);
  }
}

// ---- consensus traffic ----

void Worker::Deliver(std::vector<consensus::Envelope> envelopes) {
  auto batch = std::make_shared<std::vector<consensus::Envelope>>(std::move(envelopes));
  executor_->Post([this, batch] { Receive(std::move(*batch)); });
}

void Worker::Receive(std::vector<consensus::Envelope>&& envelopes) {
  for (consensus::Envelope& envelope : envelopes) {
    // Messages never create replicas: one for an unknown or removed id is dropped.
    const auto host = Find({envelope.shard, envelope.to.id});
    if (!host) SOMETIMES(message_for_an_unknown_replica);
    if (host) host->Receive(std::move(envelope));
  }
}

void Worker::Send(consensus::Envelope envelope) {
  outbox_.push_back(std::move(envelope));
  if (flush_posted_) return;
  flush_posted_ = true;
  executor_->Post([this] { FlushOutbox(); });
}

void Worker::FlushOutbox() {
  flush_posted_ = false;
  std::vector<consensus::Envelope> local;
  std::vector<consensus::Envelope> remote;
  for (consensus::Envelope& envelope : outbox_) {
    (envelope.to.node == node() ? local : remote).push_back(std::move(envelope));
  }
  outbox_.clear();
  if (closed_) return;
  if (!remote.empty()) node_->transport->Send(std::move(remote));
  if (!local.empty()) Deliver(std::move(local));  // the same shard, so the same worker
}

// ---- timers ----

void Worker::Wake(ShardHost& host, Instant when) {
  const auto former = wake_of_.find(host.key());
  if (when != kNever) when.ns += kWakeGridNs - 1 - (when.ns + kWakeGridNs - 1) % kWakeGridNs;
  if (former != wake_of_.end()) {
    if (former->second == when) return;
    wakes_.erase({former->second, host.key()});
    wake_of_.erase(former);
  }
  if (when == kNever) return;
  wakes_.emplace(when, host.key());
  wake_of_[host.key()] = when;
  ArmTimer(when);
}

void Worker::ArmTimer(Instant when) {
  if (when >= timer_) return;
  timer_ = when;
  executor_->RunAt(when, [this, when] {
    if (timer_ == when) timer_ = kNever;
    OnTimer();
  });
}

void Worker::OnTimer() {
  const Instant now = executor_->Now();
  std::vector<ReplicaKey> due;
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    due.push_back(wakes_.begin()->second);
    wake_of_.erase(due.back());
    wakes_.erase(wakes_.begin());
  }
  // Each once a turn: one that asks for a moment already past must not starve the others.
  for (const ReplicaKey& key : due) {
    if (const auto host = Find(key)) host->Tick();
  }
  if (!wakes_.empty()) ArmTimer(wakes_.begin()->first);
}

// All at once, their elections would keep each other from being held in time.
void Worker::WakeSleepersOf(NodeId leader) {
  std::vector<ReplicaKey> sleepers;
  for (const auto& [key, host] : hosts_) {
    const auto known = host->replica().leader();
    const bool sleeps = !host->closed() && host->replica().asleep();
    if (sleeps && known && known->node == leader && waking_.insert(key).second) {
      sleepers.push_back(key);
    }
  }
  const Duration spread =
      config().consensus.election_max + kWakeSpread * static_cast<std::int64_t>(sleepers.size());
  for (const ReplicaKey& key : sleepers) {
    SOMETIMES(sleeper_woken_for_a_lost_node);
    const auto word = executor_->RandomWord() % static_cast<std::uint64_t>(spread.count());
    executor_->RunAt(executor_->Now() + Duration(static_cast<std::int64_t>(word)), [this, key] {
      waking_.erase(key);
      if (const auto host = Find(key)) host->WakeUp();
    });
  }
}

// ---- calls ----

void Worker::Call(NodeId to, Channel channel, RpcRequest request, RpcReply reply) {
  if (closed_) {
    executor_->Post(
        [reply = std::move(reply)] { reply(Refuse(Errc::kUnavailable, "this node is stopping")); });
    return;
  }
  if (to && to != node()) {
    node_->transport->Call(*executor_, to, channel, std::move(request), std::move(reply));
    return;
  }
  // The transport answers in time in any case, and so does this node to itself.
  const auto timeout = milliseconds(request.timeout_ms);
  CallHere(std::move(request), TimedReply(*executor_, timeout, std::move(reply)));
}

void Worker::CallHere(RpcRequest request, RpcReply reply) {
  RpcReply here = [executor = executor_, reply = std::move(reply)](RpcResponse response) {
    auto shared = std::make_shared<RpcResponse>(std::move(response));
    executor->Post([reply, shared] { reply(std::move(*shared)); });
  };
  node_->WorkerOf(request.shard).Dispatch(node(), std::move(request), std::move(here));
}

void Worker::Dispatch(NodeId from, RpcRequest request, RpcReply reply) {
  struct Pending {
    RpcRequest request;
    RpcReply reply;
    Instant arrived;
  };
  auto pending =
      std::make_shared<Pending>(Pending{std::move(request), std::move(reply), executor_->Now()});
  if (Control::Owns(pending->request.method)) {
    node_->workers[0]->executor_->Post([node = node_, from, pending] {
      node->control->Handle(from, std::move(pending->request), std::move(pending->reply));
    });
    return;
  }
  executor_->Post([this, pending] {
    const Method method = pending->request.method;
    const bool counts = method == Method::kWrite || method == Method::kRead;
    const bool timed = latencies_.count() < kAllTimed || ++requests_ % kSampled == 0;
    if (counts && timed) Time(pending->arrived, pending->reply);
    Handle(std::move(pending->request), std::move(pending->reply));
  });
}

// Refusals are not counted: they are quick, whatever the load.
void Worker::Time(Instant arrived, RpcReply& reply) {
  reply = [this, arrived, inner = std::move(reply)](RpcResponse response) {
    if (response.code == Errc::kOk) latencies_.Record(executor_->Now() - arrived);
    inner(std::move(response));
  };
}

Histogram Worker::TakeLatencies() { return std::exchange(latencies_, Histogram()); }

void Worker::Handle(RpcRequest&& request, RpcReply&& reply) {
  if (request.method == Method::kReplicaStatus) return HandleStatus(request, reply);
  if (request.method == Method::kSnapshotRead) {
    return With<SnapshotRead>(request, reply, [this](SnapshotRead&& read, RpcReply&& r) {
      snapshots_.Read(read, *this, std::move(r));
    });
  }
  if (request.method == Method::kSnapshotClose) {
    return With<SnapshotClose>(request, reply, [this](SnapshotClose&& close, RpcReply&& r) {
      snapshots_.Close(close.id);
      r(RpcResponse{});
    });
  }
  const auto host = FindShard(request.shard);
  if (!host) {
    SOMETIMES(request_for_an_absent_replica);
    RpcResponse response = Refuse(Errc::kStaleMap, "this node has no replica of the shard");
    response.map_version = map_version();
    return reply(std::move(response));
  }
  switch (request.method) {
    case Method::kWrite:
      return With<Command>(request, reply, [&](Command&& command, RpcReply&& r) {
        if (command.kind == CommandKind::kPlacement) return r(Refuse(Errc::kInvalidArgument));
        if (!WithinLimits(command, r)) return;
        host->Write(std::move(command), std::move(r));
      });
    case Method::kRead:
      return With<ReadRequest>(request, reply, [&](ReadRequest&& read, RpcReply&& r) {
        if (!WithinLimits(read, r)) return;
        host->Read(std::move(read), std::move(r));
      });
    case Method::kScan:
      return With<ScanRequest>(request, reply, [&](ScanRequest&& scan, RpcReply&& r) {
        if (!WithinLimits(scan, r)) return;
        host->Scan(std::move(scan), std::move(r));
      });
    case Method::kChangeMembers:
      return With<ChangeMembers>(request, reply, [&](ChangeMembers&& change, RpcReply&& r) {
        host->Change(std::move(change), std::move(r));
      });
    case Method::kSnapshotOpen:
      return With<SnapshotOpen>(request, reply, [&](SnapshotOpen&& open, RpcReply&& r) {
        const auto source = Find(open.key);
        if (!source) return r(Refuse(Errc::kNotFound, "no such replica on this node"));
        snapshots_.Open(*source, open, *this, std::move(r));
      });
    default:
      reply(Refuse(Errc::kInvalidArgument, "unknown method"));
  }
}

void Worker::HandleStatus(const RpcRequest& request, const RpcReply& reply) {
  Result<StatusRequest> status = Decode<StatusRequest>(request.body);
  if (!status) return reply(Refuse(Errc::kInvalidArgument, "malformed request body"));
  const auto host = status->key.replica ? Find(status->key) : FindShard(status->key.shard);
  rebalance::ReplicaStatus answer;
  // Whoever asks for one replica has plans for the shard, and waits for word of a leader.
  if (host && status->key.replica) host->WakeUp();
  if (host && status->pace) host->SetFetchPace(*status->pace);
  if (host) answer = host->Describe();
  // Tombstones are read on worker 0, which owns the catalogs.
  node_->workers[0]->executor_->Post(
      [node = node_, shard = status->key.shard, answer, reply]() mutable {
        answer.tombstone = node->control->Tombstone(shard);
        RpcResponse response;
        response.served_by = node->node();
        response.body = Encode(answer);
        reply(std::move(response));
      });
}

// ---- what hosts tell ----

void Worker::HostChanged(ShardHost& host) {
  if (host.key().shard == kPlacementShard) node_->control->OnPlacementHost();
}

void Worker::HostFailed(ShardHost& host, const Error& error) {
  node_->workers[0]->executor_->Post([node = node_, disk = &host.disk(), key = host.key(), error] {
    if (error == Errc::kBusy) return node->control->OnReplicaBusy(*disk, key, error);
    SOMETIMES(replica_failed_with_its_disk);
    node->control->OnDiskFailed(*disk, error);
  });
}

}  // namespace decree::node

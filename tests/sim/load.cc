#include "tests/sim/load.h"

#include <algorithm>
#include <utility>

#include "kv/api/shard_map.h"

namespace decree::sim {
namespace {

// Calls nodes by address: those of the shard map once there is one, before that the nodes it was
// told.
class SimCourier : public Courier {
 public:
  SimCourier(Cluster& cluster, SimExecutor& executor, SimTransport& transport)
      : cluster_(cluster), executor_(executor), transport_(transport) {}

  void Watch(const Caller& caller) { caller_ = &caller; }

  void Call(NodeId node, RpcRequest request, RpcReply reply) override {
    std::string address;
    if (!node) {
      address = AddressOf(1 + static_cast<MachineId>(executor_.RandomWord() % cluster_.size()));
    } else if (const auto map = caller_->map()) {
      if (const NodeAddress* found = map->Address(node)) address = found->rpc;
    }
    transport_.CallAddress(executor_, address, std::move(request), std::move(reply));
  }

 private:
  Cluster& cluster_;
  SimExecutor& executor_;
  SimTransport& transport_;
  const Caller* caller_ = nullptr;
};

}  // namespace

// A machine of clients, without a node on it.
class Load::Outside {
 public:
  Outside(Cluster& cluster, MachineId machine)
      : life_(std::make_shared<Life>(Life{machine, 1, true, 0})),
        executor_(cluster.world(), life_, clock_, Hops{}),
        transport_(cluster.world(), cluster.network(), life_),
        courier_(cluster, executor_, transport_),
        caller_(std::make_unique<Caller>(executor_, courier_)) {
    courier_.Watch(*caller_);
  }
  ~Outside() { life_->alive = false; }

  const std::shared_ptr<Life>& life() const { return life_; }
  void Start(const Operation& operation, OperationCallback done) {
    executor_.Post([caller = caller_.get(), operation, done = std::move(done)] {
      caller->Start(operation, done);
    });
  }

 private:
  const Clock clock_;
  const std::shared_ptr<Life> life_;
  SimExecutor executor_;
  SimTransport transport_;
  SimCourier courier_;
  std::unique_ptr<Caller> caller_;
};

Load::Load(Cluster& cluster, History& history, LoadOptions options)
    : cluster_(cluster),
      world_(cluster.world()),
      history_(history),
      options_(options),
      ttl_judge_(cluster.world()) {
  const auto outside = [this] {
    const auto machine = static_cast<MachineId>(kFirstOutsider + outsides_.size());
    outsides_.push_back(std::make_unique<Outside>(cluster_, machine));
    return outsides_.back().get();
  };
  for (std::size_t i = 0; i < options_.outside_clients; ++i) {
    // Two clients share one caller, as threads of a program share a client.
    Add("outside" + std::to_string(i + 1), i % 2 == 0 ? outside() : outsides_.back().get());
  }
  for (std::size_t i = 0; i < options_.sleepy_clients; ++i) {
    Add("sleepy" + std::to_string(i + 1), outside()).sleepy = true;
  }
  for (std::size_t i = 0; i < options_.door_clients; ++i) {
    Add("door" + std::to_string(i + 1), nullptr);
  }
  for (std::size_t i = 0; i < options_.ttl_clients; ++i) {
    Add("ttl" + std::to_string(i + 1), nullptr).ttl = true;
  }
}

Load::Client& Load::Add(const std::string& name, Outside* outside) {
  clients_.push_back(std::make_unique<Client>());
  clients_.back()->name = name;
  clients_.back()->outside = outside;
  return *clients_.back();
}

Load::~Load() {
  for (const auto& outside : outsides_) world_.End(*outside->life());
}

void Load::Start() {
  on_ = true;
  for (const auto& client : clients_) NextTurn(*client);
}

void Load::Stop() { on_ = false; }

bool Load::Idle() const {
  for (const auto& client : clients_) {
    if (client->busy) return false;
  }
  return true;
}

std::vector<std::string> Load::Keys() const {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < options_.keys; ++i) keys.push_back("k" + std::to_string(i));
  return keys;
}

void Load::NextTurn(Client& client) {
  client.busy = false;
  ++client.turn;
  if (client.crowd_at) return;
  const Nanos pause = client.sleepy ? options_.max_sleep : options_.max_think;
  world_.At(WhenAllowed(world_.now() + world_.Between(0, pause)), EventKind::kClient, nullptr, 0,
            [this, &client] { Turn(client); });
}

void Load::Surge(MachineId door, ShardId shard, Nanos within) {
  constexpr std::size_t kCrowd = 24;
  std::vector<std::string> keys = Keys();
  const auto elsewhere = [&](const std::string& key) {
    return ShardOf(key, cluster_.options().shards) != shard;
  };
  keys.erase(std::remove_if(keys.begin(), keys.end(), elsewhere), keys.end());
  if (!on_ || keys.empty()) return;
  for (std::size_t i = 0; i < kCrowd; ++i) {
    Client& client = Add("crowd" + std::to_string(clients_.size()), nullptr);
    client.crowd_at = door;
    Operation put;
    put.timeout = options_.timeout;
    put.key = keys[world_.random().Below(keys.size())];
    MakePut(client, put);
    world_.At(world_.now() + world_.Between(0, within), EventKind::kClient, nullptr, 0,
              [this, &client, put] { Send(client, put); });
  }
}

Nanos Load::WhenAllowed(Nanos when) {
  if (options_.burst == 0 || when % options_.period < options_.burst) return when;
  return (when / options_.period + 1) * options_.period + world_.Between(0, options_.burst / 2);
}

void Load::Turn(Client& client) {
  if (on_ && world_.now() < silent_until_) return NextTurn(client);
  if (on_) Send(client, client.ttl ? DrawOfOwnKey(client) : Draw(client));
}

Operation Load::Draw(const Client& client) {
  Random& random = world_.random();
  Operation operation;
  operation.timeout =
      random.Chance(options_.hurried) ? milliseconds(random.Between(5, 100)) : options_.timeout;
  operation.key = "k" + std::to_string(random.Below(options_.keys));
  if (random.Chance(options_.scans)) {
    operation.kind = OperationKind::kScan;
    operation.shard = ShardOf(operation.key, cluster_.options().shards);
    operation.scan.prefix = "k";
    if (random.Chance(0.3))
      operation.scan.after = "k" + std::to_string(random.Below(options_.keys));
    if (random.Chance(0.3)) operation.scan.limit = 1 + static_cast<std::uint32_t>(random.Below(4));
    return operation;
  }
  const std::uint64_t kind = random.Below(100);
  if (kind < 40) {
    if (random.Chance(options_.stale)) operation.consistency = Consistency::kStale;
    return operation;
  }
  if (kind < 50) {
    operation.kind = OperationKind::kDelete;
  } else {
    MakePut(client, operation);
  }
  SetCondition(operation);
  return operation;
}

void Load::MakePut(const Client& client, Operation& operation) {
  operation.kind = OperationKind::kPut;
  operation.value = client.name + "-" + std::to_string(++values_);
  operation.value.resize(std::max(operation.value.size(), options_.value_bytes), '.');
}

void Load::SetCondition(Operation& operation) {
  const History::Seen& seen = history_.seen(operation.key);
  const std::uint64_t condition = world_.random().Below(100);
  if (condition < 15) {
    operation.condition.kind = ConditionKind::kAbsent;
  } else if (condition < 35 && seen.version != 0) {
    operation.condition.kind = ConditionKind::kVersionIs;
    operation.condition.version = seen.version;
  } else if (condition < 50 && seen.version != 0) {
    operation.condition.kind = ConditionKind::kValueIs;
    operation.condition.value = seen.value;
  }
}

Operation Load::DrawOfOwnKey(const Client& client) {
  Random& random = world_.random();
  Operation operation;
  operation.timeout = options_.timeout;
  operation.key = client.name + "." + std::to_string(client.ttl_key);
  if (random.Chance(0.6)) return operation;
  operation.kind = OperationKind::kPut;
  operation.value = client.name + "-" + std::to_string(++values_);
  operation.ttl_ms = random.Between(50, 3'000);
  return operation;
}

// The keys that a page of the shard is a read of.
std::vector<std::string> Load::PageOf(const Operation& operation) const {
  std::vector<std::string> keys;
  if (operation.kind != OperationKind::kScan) return keys;
  for (const std::string& key : Keys()) {
    const bool there = ShardOf(key, cluster_.options().shards) == operation.shard;
    if (there && key > operation.scan.after) keys.push_back(key);
  }
  return keys;
}

std::optional<MachineId> Load::DoorOf(const Client& client) {
  if (client.outside) return std::nullopt;
  if (!client.crowd_at) return cluster_.AnyUp();
  return cluster_.node(*client.crowd_at).up() ? client.crowd_at : std::nullopt;
}

void Load::Send(Client& client, const Operation& operation) {
  const std::optional<MachineId> door = DoorOf(client);
  if (!client.outside && !door) return NextTurn(client);
  const auto life = client.outside ? client.outside->life() : cluster_.node(*door).life();
  const std::string who = client.name + (door ? "@n" + std::to_string(*door) : std::string());
  const std::uint64_t handle = client.ttl ? history_.Counted(operation, who)
                                          : history_.Called(operation, who, PageOf(operation));
  const ShardId shard = ShardOf(operation.key, cluster_.options().shards);
  if (client.ttl) ttl_judge_.Called(operation, shard);
  cluster_.network().core_checker().Called(operation);
  client.busy = true;
  const auto done = [=, this, &client, turn = client.turn](const OperationResult& result) {
    if (!life->alive) return;  // a process that died tells nobody
    history_.Answered(handle, result);
    cluster_.network().core_checker().Answered(operation, result);
    if (client.ttl) ttl_judge_.Answered(operation, shard, result);
    if (client.turn == turn) EndTurn(client, operation, result.code);
  };
  Watch(client, life, client.turn, world_.now() + operation.timeout.count() + 2 * kSeconds);
  if (client.outside) return client.outside->Start(operation, done);
  cluster_.Start(*door, operation, done);
}

// A put that may still be applied makes the key worthless to its owner.
void Load::EndTurn(Client& client, const Operation& operation, Errc code) {
  if (operation.kind == OperationKind::kPut && code != Errc::kOk) ++client.ttl_key;
  NextTurn(client);
}

// Every operation is answered within its time-out, unless its process died or was stopped.
void Load::Watch(Client& client, std::shared_ptr<Life> life, std::uint64_t turn, Nanos deadline) {
  world_.At(deadline, EventKind::kClient, nullptr, 0, [this, &client, life, turn] {
    if (client.turn != turn) return;
    if (life->alive && life->paused_until + 2 * kSeconds > world_.now()) {
      return Watch(client, life, turn, life->paused_until + 2 * kSeconds);
    }
    if (life->alive) world_.Fail("an operation of " + client.name + " was never answered");
    ++client.ttl_key;
    NextTurn(client);
  });
}

}  // namespace decree::sim

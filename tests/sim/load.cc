#include "tests/sim/load.h"

#include <utility>

namespace decree::sim {
namespace {

constexpr MachineId kFirstOutside = 1001;

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
        executor_(cluster.world(), life_, clock_, 20 * kMicros),
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
    : cluster_(cluster), world_(cluster.world()), history_(history), options_(options) {
  for (std::size_t i = 0; i < options_.outside_clients; ++i) {
    // Two clients share one caller, as threads of a program share a client.
    if (i % 2 == 0) {
      const auto machine = static_cast<MachineId>(kFirstOutside + outsides_.size());
      outsides_.push_back(std::make_unique<Outside>(cluster_, machine));
    }
    clients_.push_back(std::make_unique<Client>());
    clients_.back()->name = "outside" + std::to_string(i + 1);
    clients_.back()->outside = outsides_.back().get();
  }
  for (std::size_t i = 0; i < options_.door_clients; ++i) {
    clients_.push_back(std::make_unique<Client>());
    clients_.back()->name = "door" + std::to_string(i + 1);
  }
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
  world_.At(world_.now() + world_.Between(0, options_.max_think), EventKind::kClient, nullptr, 0,
            [this, &client] { Turn(client); });
}

void Load::Turn(Client& client) {
  if (on_) Send(client, Draw(client));
}

Operation Load::Draw(const Client& client) {
  Random& random = world_.random();
  Operation operation;
  operation.timeout = options_.timeout;
  operation.key = "k" + std::to_string(random.Below(options_.keys));
  const std::uint64_t kind = random.Below(100);
  if (kind < 40) return operation;
  if (kind < 50) {
    operation.kind = OperationKind::kDelete;
  } else {
    operation.kind = OperationKind::kPut;
    operation.value = client.name + "-" + std::to_string(++values_);
    operation.value.resize(std::max(operation.value.size(), options_.value_bytes), '.');
  }
  const History::Seen& seen = history_.seen(operation.key);
  const std::uint64_t condition = random.Below(100);
  if (condition < 15) {
    operation.condition.kind = ConditionKind::kAbsent;
  } else if (condition < 35 && seen.version != 0) {
    operation.condition.kind = ConditionKind::kVersionIs;
    operation.condition.version = seen.version;
  } else if (condition < 50 && seen.version != 0) {
    operation.condition.kind = ConditionKind::kValueIs;
    operation.condition.value = seen.value;
  }
  return operation;
}

void Load::Send(Client& client, const Operation& operation) {
  const std::optional<MachineId> door = client.outside ? std::nullopt : cluster_.AnyUp();
  if (!client.outside && !door) return NextTurn(client);
  const auto life = client.outside ? client.outside->life() : cluster_.node(*door).life();
  const std::uint64_t handle = history_.Called(
      operation, client.name + (door ? "@n" + std::to_string(*door) : std::string()));
  client.busy = true;
  const auto done = [this, &client, life, handle, turn = client.turn](OperationResult result) {
    if (!life->alive) return;  // a process that died tells nobody
    history_.Answered(handle, result);
    if (client.turn == turn) NextTurn(client);
  };
  Watch(client, life, client.turn, world_.now() + operation.timeout.count() + 2 * kSeconds);
  if (client.outside) return client.outside->Start(operation, done);
  cluster_.Start(*door, operation, done);
}

// Every operation is answered within its time-out, unless its process died or was stopped.
void Load::Watch(Client& client, std::shared_ptr<Life> life, std::uint64_t turn, Nanos deadline) {
  world_.At(deadline, EventKind::kClient, nullptr, 0, [this, &client, life, turn] {
    if (client.turn != turn) return;
    if (life->alive && life->paused_until + 2 * kSeconds > world_.now()) {
      return Watch(client, life, turn, life->paused_until + 2 * kSeconds);
    }
    if (life->alive) world_.Fail("an operation of " + client.name + " was never answered");
    NextTurn(client);
  });
}

}  // namespace decree::sim

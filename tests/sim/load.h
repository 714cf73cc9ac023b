// Clients: some outside the cluster, as the client library is; some at the doors of the nodes, as
// HTTP and the embedded client are. Each asks one thing after another. Some sleep so long that
// their map is old when they wake; some own keys that expire.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kv/api/caller.h"
#include "tests/sim/cluster.h"
#include "tests/sim/history.h"
#include "tests/sim/ttl_judge.h"

namespace decree::sim {

struct LoadOptions {
  std::size_t outside_clients = 2;
  std::size_t door_clients = 2;
  std::size_t sleepy_clients = 0;  // outside, each with a caller of its own
  std::size_t ttl_clients = 0;     // at the doors
  std::size_t keys = 6;
  std::size_t value_bytes = 0;  // padding, to make snapshots of some size
  Nanos max_think = 60 * kMillis;
  // Clients begin operations only in the first `burst` of each `period`; 0: all the time.
  Nanos burst = 0;
  Nanos period = 0;
  Nanos max_sleep = 20 * kSeconds;
  Duration timeout = 2s;
  double hurried = 0;  // share of the operations that wait for milliseconds only
  double stale = 0;    // share of the reads
  double scans = 0;    // share of the operations
};

class Load {
 public:
  Load(Cluster& cluster, History& history, LoadOptions options);
  ~Load();

  void Start();
  void Stop();  // no new operations
  void BeSilentUntil(Nanos when) { silent_until_ = when; }
  // A crowd at one door writes to one shard, all within `within`, each of them once.
  void Surge(MachineId door, ShardId shard, Nanos within);
  bool Idle() const;  // none is under way
  std::vector<std::string> Keys() const;
  std::uint64_t expiries_judged() const { return ttl_judge_.judged(); }

 private:
  class Outside;

  struct Client {
    std::string name;
    Outside* outside = nullptr;  // null: through a node's door
    bool sleepy = false;
    bool ttl = false;
    std::optional<MachineId> crowd_at;  // comes when called, to that door
    std::uint64_t ttl_key = 0;          // which key of its own it uses now
    bool busy = false;
    std::uint64_t turn = 0;
  };

  void Turn(Client& client);
  void NextTurn(Client& client);
  Nanos WhenAllowed(Nanos when);
  Client& Add(const std::string& name, Outside* outside);
  Operation Draw(const Client& client);
  Operation DrawOfOwnKey(const Client& client);
  void MakePut(const Client& client, Operation& operation);
  std::optional<MachineId> DoorOf(const Client& client);
  void SetCondition(Operation& operation);
  std::vector<std::string> PageOf(const Operation& operation) const;
  void EndTurn(Client& client, const Operation& operation, Errc code);
  void Send(Client& client, const Operation& operation);
  void Watch(Client& client, std::shared_ptr<Life> life, std::uint64_t turn, Nanos deadline);

  Cluster& cluster_;
  World& world_;
  History& history_;
  LoadOptions options_;
  bool on_ = false;
  Nanos silent_until_ = 0;
  std::uint64_t values_ = 0;
  TtlJudge ttl_judge_;
  std::vector<std::unique_ptr<Outside>> outsides_;
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace decree::sim

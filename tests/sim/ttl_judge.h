// Keys that expire, judged by what is certain. Every key has one owner, who asks one thing after
// another; the only clock is the replicated one of the shard, which a put with a ttl tells when it
// answers: it was applied at its expiry less its ttl.
//   - A key is never read when an apply later than its expiry was known before the read began.
//   - A key is never missing when a put that began after the read was applied before its expiry.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "kv/api/caller.h"
#include "tests/sim/world.h"

namespace decree::sim {

class TtlJudge {
 public:
  explicit TtlJudge(World& world) : world_(world) {}

  // A put with a ttl, or a read, by the key's owner. After a put without a certain outcome the key
  // says nothing any more, for it may still be applied: take another one.
  void Called(const Operation& operation, ShardId shard);
  void Answered(const Operation& operation, ShardId shard, const OperationResult& result);
  std::uint64_t judged() const { return judged_; }  // reads

 private:
  struct Key {
    std::string value;
    WallMs expires = 0;  // 0: nothing was put
    std::uint64_t called = 0;
    WallMs known_then = 0;  // the shard's time when the last operation began
  };
  struct Absence {
    std::uint64_t seen = 0;
    WallMs expires = 0;
    std::string key;
  };

  void OnPut(Key& key, const Operation& operation, ShardId shard, const OperationResult& result);
  void OnRead(const Key& key, const Operation& operation, ShardId shard,
              const OperationResult& result);

  World& world_;
  std::map<std::string, Key> keys_;
  std::map<ShardId, WallMs> time_;  // the latest that is known
  std::map<ShardId, std::vector<Absence>> absences_;
  std::uint64_t judged_ = 0;
};

}  // namespace decree::sim

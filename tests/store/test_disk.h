// What the conformance tests need of a disk: to open it, to close it cleanly, and to lose power.
// The same tests run against every kind named in AllDiskKinds().
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "kv/store/disk.h"

namespace decree::store {

class TestDisk {
 public:
  virtual ~TestDisk() = default;
  virtual Disk& disk() = 0;
  virtual void Reopen() = 0;  // clean close, then open
  // Keeps what was durable, opens that. Engines of the old disk stay destructible.
  virtual void Crash() = 0;
};

struct DiskKind {
  std::string name;
  std::function<std::unique_ptr<TestDisk>()> make;
};
std::vector<DiskKind> AllDiskKinds();

inline ReplicaKey Key(std::uint32_t shard, std::uint64_t replica) {
  return {ShardId{shard}, ReplicaId{replica}};
}

// Waits for a call that reports through a callback, whatever thread it comes on.
template <class T>
T Await(const std::function<void(std::function<void(T)>)>& call) {
  auto promise = std::make_shared<std::promise<T>>();
  std::future<T> future = promise->get_future();
  call([promise](T value) { promise->set_value(std::move(value)); });
  return future.get();
}

Status AppendAndWait(Log& log, ReplicaKey key, consensus::Persist record);
Status FlushAndWait(Engine& engine);
Result<std::shared_ptr<SnapshotSource>> CheckpointAndWait(Engine& engine);
Status WriteRow(Engine& engine, const std::string& key, const std::string& value);
std::string RowOr(
    const Result<std::optional<std::string>>& row);  // "-" for none, "!code" for errors
std::string Dump(const RowView& view);               // "a=1 b=2"

consensus::Ballot MakeBallot(std::uint64_t round, std::uint64_t replica = 1);
consensus::Persist PromiseRecord(std::uint64_t round);
consensus::Persist VoteRecord(std::uint64_t slot, std::uint64_t round, const std::string& value);
consensus::Persist ChosenRecord(std::uint64_t slot, const std::string& value);
consensus::Persist WatermarkRecord(std::uint64_t slot);
// "p3 w2 v4@3=x c2=y": promise, watermark, votes and chosen values in slot order.
std::string Describe(const consensus::Recovered& recovered);
std::string DescribeLog(Log& log, ReplicaKey key);  // of Recover; "!code" for errors

}  // namespace decree::store

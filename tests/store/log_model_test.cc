// Random histories of a file log, with power losses at any call to the system, against a model.
#include <gtest/gtest.h>

#include <optional>

#include "kv/base/random.h"
#include "kv/store/log_merge.h"
#include "tests/base/scale.h"
#include "tests/store/log_files.h"

namespace decree::store {
namespace {

// LogMerge is the model: what was acknowledged must be there, what was trimmed may be, and the one
// record whose report said "failed" is there as a whole or not at all.
class LogModel {
 public:
  explicit LogModel(std::uint64_t seed) : seed_(seed), random_(seed) {}

  void Run() {
    log_ = files_.Open();
    for (step_ = 0; step_ < 700 && !testing::Test::HasFatalFailure(); ++step_) Step();
  }
  int crashes() const { return crashes_; }

 private:
  struct State {
    LogMerge merged;
    std::uint64_t next = 1;
    Slot trimmed;
    Slot trim_sent;        // in this life of the log: a crash may forget it
    Slot durably_trimmed;  // an append was acknowledged after it
    std::uint64_t round = 1;
  };
  struct Doubt {
    ReplicaKey key;
    consensus::Persist record;
  };

  void Step() {
    const ReplicaKey key = Key(static_cast<std::uint32_t>(random_.Below(4)), generation_);
    const std::uint64_t dice = random_.Below(100);
    if (dice < 80) return Append(key);
    if (dice < 95) return Trim(key);
    if (dice < 97) return Forget(key);
    if (dice < 99) return files_.EndAfter(static_cast<int>(random_.Below(40)));
    log_.reset();  // a clean stop, unless the end comes during it
    End();
    Reopen();
  }

  // The process is killed, or the power goes as well.
  void End() { random_.Chance(0.5) ? files_.Kill(log_) : files_.Crash(log_); }

  void Append(ReplicaKey key) {
    const consensus::Persist record = MakeRecord(state_[key]);
    if (AppendAndWait(*log_, key, record)) {
      state_[key].merged.Add(record);
      for (auto& [each, state] : state_) state.durably_trimmed = state.trim_sent;
      return;
    }
    doubt_ = Doubt{key, record};
    End();
    ++crashes_;
    Reopen();
  }

  consensus::Persist MakeRecord(State& state) {
    consensus::Persist record;
    if (random_.Chance(0.1)) record.promised = MakeBallot(++state.round);
    if (random_.Chance(0.7)) {
      const std::uint64_t slot = state.next + random_.Below(2);
      const std::string value(random_.Below(400), static_cast<char>('a' + random_.Below(26)));
      record.votes = VoteRecord(slot, state.round, value).votes;
      state.next = slot + 1;
    }
    if (random_.Chance(0.2)) {
      record.chosen = ChosenRecord(state.trimmed.value + 1 + random_.Below(5), "chosen").chosen;
    }
    if (random_.Chance(0.3)) record.watermark = Slot{state.next - 1};
    return record;
  }

  void Trim(ReplicaKey key) {
    const auto it = state_.find(key);
    if (it == state_.end() || it->second.next < 4) return;
    it->second.trimmed = std::max(it->second.trimmed, Slot{it->second.next - 3});
    it->second.merged.Trim(it->second.trimmed);
    it->second.trim_sent = it->second.trimmed;
    log_->Trim(key, it->second.trimmed);
  }

  void Forget(ReplicaKey key) {
    log_->Forget(key);
    state_.erase(key);
    ++generation_;
  }

  void Reopen() {
    if (random_.Chance(0.3)) {  // it ends again, while the log is being opened
      files_.EndAfter(static_cast<int>(random_.Below(8)));
      if (auto interrupted = files_.TryOpen()) log_ = *std::move(interrupted);
      End();
    }
    auto opened = files_.TryOpen();
    ASSERT_TRUE(opened) << opened.error().ToString() << Where();
    log_ = *std::move(opened);
    for (auto& [key, state] : state_) Compare(key, state);
    doubt_.reset();
  }

  void Compare(ReplicaKey key, State& state) {
    const auto got = log_->Recover(key);
    ASSERT_TRUE(got) << got.error().ToString() << Where();
    ASSERT_GE(got->trimmed, state.durably_trimmed) << Where() << ToString(key);
    ASSERT_LE(got->trimmed, state.trimmed) << Where() << ToString(key);
    state.trim_sent = got->trimmed;
    const std::string found = Above(state, *got);
    if (doubt_ && doubt_->key == key) {
      LogMerge with = state.merged;
      with.Add(doubt_->record);
      if (Above(state, with.ToRecovered()) == found) state.merged = with;
    }
    ASSERT_EQ(found, Above(state, state.merged.ToRecovered())) << Where() << ToString(key);
  }

  // What is known above the trimmed slots.
  static std::string Above(const State& state, const consensus::Recovered& known) {
    LogMerge merged;
    consensus::Persist all;
    all.promised = known.promised;
    all.votes = known.votes;
    all.chosen = known.chosen;
    all.watermark = known.watermark;
    merged.Add(all);
    merged.Trim(state.trimmed);
    return Describe(merged.ToRecovered());
  }

  std::string Where() const {
    return " seed " + std::to_string(seed_) + " step " + std::to_string(step_) + " ";
  }

  const std::uint64_t seed_;
  Random random_;
  LogFiles files_{4096, 16 * 4096};
  std::unique_ptr<FileLog> log_;
  std::map<ReplicaKey, State> state_;
  std::optional<Doubt> doubt_;
  std::uint64_t generation_ = 1;
  int step_ = 0;
  int crashes_ = 0;
};

TEST(LogModelTest, RandomHistoriesWithPowerLossesAgreeWithTheModel) {
  int crashes = 0;
  const int seeds = static_cast<int>(test::Scaled(20));
  for (int seed = 1; seed <= seeds; ++seed) {
    LogModel model(static_cast<std::uint64_t>(seed));
    model.Run();
    if (testing::Test::HasFatalFailure()) return;
    crashes += model.crashes();
  }
  EXPECT_GT(crashes, 5 * seeds);
}

}  // namespace
}  // namespace decree::store

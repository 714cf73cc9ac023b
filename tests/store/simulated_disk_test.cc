// The real disk over the simulated file system: random work, the end at any call to the system, and
// a power loss; then everything that was acknowledged must be there.
#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "tests/base/scale.h"
#include "tests/sim/rocks_disk.h"
#include "tests/store/test_disk.h"

namespace decree::sim {
namespace {

using store::Key;

// One life of a disk after the other. Tasks wait until they are let run, in their order.
class Lives {
 public:
  explicit Lives(std::uint64_t seed) : fs_(std::make_shared<SimFs>(seed)) {}

  Status Open() {
    RocksDiskOptions options;
    options.path = "/machine/disk";
    options.fs = fs_;
    options.log_goal_bytes = std::uint64_t{256} << 10;
    options.later = [this](Task task) { tasks_.push_back(std::move(task)); };
    options.rocks_later = options.later;
    options.now_ns = [this] { return ++now_; };
    auto opened = OpenRocksDisk(std::move(options));
    if (!opened) return opened.error();
    disk_ = *std::move(opened);
    return {};
  }
  void LosePower() {
    const auto survivor = fs_->AfterPowerLoss();
    Close();
    fs_ = survivor;
  }
  void EndCleanly() {
    Close();
    fs_ = fs_->AfterProcessEnd();
  }
  void RunTasks(std::size_t at_most = 10'000) {
    for (; at_most > 0 && !tasks_.empty(); --at_most) {
      const Task task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }
  store::Disk& disk() { return *disk_; }
  SimFs& fs() { return *fs_; }
  std::map<ReplicaKey, std::unique_ptr<store::Engine>>& engines() { return engines_; }

 private:
  void Close() {
    tasks_.clear();
    engines_.clear();
    disk_.reset();
    tasks_.clear();
  }

  std::int64_t now_ = 0;
  std::shared_ptr<SimFs> fs_;
  std::deque<Task> tasks_;
  std::unique_ptr<store::Disk> disk_;
  std::map<ReplicaKey, std::unique_ptr<store::Engine>> engines_;
};

// What must be found again.
struct Promised {
  std::uint64_t promise = 0;
  std::map<std::string, std::string> facts;
  std::map<ReplicaKey, std::uint64_t> rows;  // the value that was flushed last, or a later one
};

class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed), lives_(seed) {}

  void Run(int lives) {
    for (int life = 0; life < lives && !testing::Test::HasFatalFailure(); ++life) Live();
  }

 private:
  void Live() {
    if (random_.Chance(0.2)) lives_.fs().DieAfter(random_.Between(1, 60), [] {});
    const Status opened = lives_.Open();
    if (lives_.fs().dead()) return lives_.LosePower();
    ASSERT_TRUE(opened) << opened.error().ToString();
    written_.clear();
    Check();
    if (testing::Test::HasFatalFailure()) return;
    if (lives_.fs().dead()) return lives_.LosePower();
    if (random_.Chance(0.7)) lives_.fs().DieAfter(random_.Between(1, 120), [] {});
    const std::uint64_t steps = random_.Between(1, 40);
    for (std::uint64_t i = 0; i < steps && !lives_.fs().dead(); ++i) Step();
    lives_.fs().dead() || random_.Chance(0.7) ? lives_.LosePower() : lives_.EndCleanly();
  }

  void Check() {
    const auto recovered = lives_.disk().log().Recover(key_);
    ASSERT_TRUE(recovered) << recovered.error().ToString();
    ASSERT_GE(recovered->promised.round, promised_.promise);
    for (const auto& [key, value] : promised_.facts) {
      const auto fact = lives_.disk().GetMeta(key);
      ASSERT_TRUE(fact) << fact.error().ToString();
      ASSERT_TRUE(*fact) << key;
      // A fact that was being written may be there, too.
      ASSERT_GE(**fact, value) << key;
    }
    for (const auto& [key, value] : promised_.rows) {
      const bool open = Use(key);
      if (lives_.fs().dead()) return;
      ASSERT_TRUE(open);
      const auto row = lives_.engines()[key]->Get("row");
      ASSERT_TRUE(row) << row.error().ToString();
      ASSERT_TRUE(*row);
      ASSERT_GE(std::stoull(**row), value);
    }
  }

  bool Use(ReplicaKey key) {
    auto& engine = lives_.engines()[key];
    if (engine) return true;
    auto opened = lives_.disk().OpenRows(key);
    if (opened) engine = *std::move(opened);
    EXPECT_TRUE(engine || lives_.fs().dead()) << opened.error().ToString();
    return engine != nullptr;
  }

  void Step() {
    const ReplicaKey key = Key(1 + static_cast<std::uint32_t>(random_.Below(3)), 1);
    switch (random_.Below(7)) {
      case 0:
        return Append();
      case 1:
        return PutFact();
      case 2:
        return WriteRows(key);
      case 3:
        return Flush(key);
      case 4:
        return Move(key);
      default:
        return lives_.RunTasks(random_.Below(6));
    }
  }

  void Append() {
    const std::uint64_t round = ++last_;
    consensus::Persist record = store::PromiseRecord(round);
    record.votes = store::VoteRecord(round, round, std::string(random_.Below(3'000), 'v')).votes;
    lives_.disk().log().Append(key_, std::move(record), [this, round](const Status& status) {
      if (status) promised_.promise = std::max(promised_.promise, round);
    });
    if (random_.Chance(0.3)) lives_.disk().log().Trim(key_, Slot{promised_.promise});
  }

  void PutFact() {
    const std::string key = "fact" + std::to_string(random_.Below(3));
    const std::string value = std::to_string(1'000'000 + ++last_);
    if (lives_.disk().PutMeta(key, value)) promised_.facts[key] = value;
  }

  void WriteRows(ReplicaKey key) {
    if (!Use(key)) return;
    store::RowBatch batch = {{"row", std::to_string(++last_)}};
    batch.push_back({"k" + std::to_string(random_.Below(50)), std::string(200, 'x')});
    if (lives_.engines()[key]->Write(batch)) written_[key] = last_;
  }

  void Flush(ReplicaKey key) {
    if (!Use(key)) return;
    lives_.engines()[key]->Flush([this, key, value = written_[key]](const Status& status) {
      if (status && value != 0) promised_.rows[key] = std::max(promised_.rows[key], value);
    });
  }

  // A snapshot of one replica takes the place of another's rows.
  void Move(ReplicaKey from) {
    const ReplicaKey to = Key(from.shard.value % 3 + 1, 1);
    const auto source = Checkpoint(from);
    if (!source) return;
    lives_.engines().erase(to);
    auto staging = lives_.disk().Stage(to);
    if (!staging) return;
    for (const store::SnapshotFile& file : source->files()) {
      const auto bytes = source->Read(file.name, 0, file.bytes);
      if (!bytes || !(*staging)->Append(file.name, 0, *bytes)) return;
    }
    // Until it is known how the commit went, it is the old rows or the new ones.
    const std::uint64_t now = frozen_;
    const auto old = promised_.rows.find(to);
    if (old != promised_.rows.end()) old->second = std::min(old->second, now);
    auto engine = (*staging)->Commit();
    if (!engine) return;
    lives_.engines()[to] = *std::move(engine);
    promised_.rows[to] = now;
    written_[to] = 0;
  }

  // Of rows that hold something; `frozen_` is what.
  std::shared_ptr<store::SnapshotSource> Checkpoint(ReplicaKey key) {
    if (!Use(key)) return nullptr;
    const auto row = lives_.engines()[key]->Get("row");
    if (!row || !*row) return nullptr;
    frozen_ = std::stoull(**row);
    std::shared_ptr<store::SnapshotSource> source;
    lives_.engines()[key]->Checkpoint([&source](auto made) {
      if (made) source = *std::move(made);
    });
    lives_.RunTasks();
    return source;
  }

  Random random_;
  Lives lives_;
  const ReplicaKey key_ = Key(9, 1);
  Promised promised_;
  std::map<ReplicaKey, std::uint64_t> written_;
  std::uint64_t last_ = 0;
  std::uint64_t frozen_ = 0;
};

TEST(SimulatedDiskTest, APowerLossAtAnyCallLosesNothingAcknowledged) {
  for (std::uint64_t seed = 1; seed <= test::Scaled(60) && !testing::Test::HasFatalFailure();
       ++seed) {
    SCOPED_TRACE(seed);
    History(seed).Run(12);
  }
}

// The whole life of a disk depends on nothing but the seed: the calls to the file system are equal.
TEST(SimulatedDiskTest, EqualSeedsGiveEqualLives) {
  const auto run = [](std::uint64_t seed) {
    Lives lives(seed);
    EXPECT_TRUE(lives.Open());
    const ReplicaKey key = Key(1, 1);
    auto& engine = lives.engines()[key] = *lives.disk().OpenRows(key);
    std::uint64_t flushes = 0;
    for (int i = 0; i < 400; ++i) {
      EXPECT_TRUE(engine->Write({{"k" + std::to_string(i % 90), std::string(300, 'x')}}));
      if (i % 20 != 0) continue;
      engine->Flush([&](const Status& status) { flushes += status.has_value(); });
      lives.RunTasks();
    }
    EXPECT_EQ(flushes, 20u);
    std::vector<std::string> names;
    EXPECT_EQ(lives.fs().List("/machine/disk/rows/1-1", &names), 0);
    std::string all = std::to_string(lives.fs().used()) + " " +
                      std::to_string(engine->ApproximateBytes()) + " " +
                      std::to_string(engine->UnflushedBytes());
    for (const std::string& name : names) all += " " + name;
    return all;
  };
  const std::string first = run(1);
  EXPECT_EQ(first, run(1));
  EXPECT_EQ(first.find("000009.sst 000011.sst 000013.sst"), std::string::npos)
      << "tables were compacted: " << first;
}

}  // namespace
}  // namespace decree::sim

#include "tests/sim/ttl_judge.h"

#include <gtest/gtest.h>

namespace decree::sim {
namespace {

class TtlJudgeTest : public testing::Test {
 protected:
  // Put with a ttl of 100 ms, applied at `applied`.
  void Put(const std::string& key, const std::string& value, WallMs applied) {
    Operation put;
    put.kind = OperationKind::kPut;
    put.key = key;
    put.value = value;
    put.ttl_ms = 100;
    judge_.Called(put, shard_);
    OperationResult result;
    result.command.expires_at_ms = applied + 100;
    judge_.Answered(put, shard_, result);
  }
  void Read(const std::string& key, const std::string& value) {
    Operation get;
    get.key = key;
    judge_.Called(get, shard_);
    OperationResult result;
    if (value.empty()) result.code = Errc::kNotFound;
    result.read.value = value;
    judge_.Answered(get, shard_, result);
  }
  std::size_t Failures() const { return world_.failures().size(); }

  const ShardId shard_{3};
  World world_{1};
  TtlJudge judge_{world_};
};

TEST_F(TtlJudgeTest, AKeyIsThereUntilTheTimeOfItsShardHasPassedItsExpiry) {
  Put("a", "v", 1'000);
  Read("a", "v");
  Put("other", "w", 1'100);
  Read("a", "v");
  EXPECT_EQ(Failures(), 0u);
  Put("other", "w", 1'101);
  Read("a", "v");
  EXPECT_EQ(Failures(), 1u);
}

TEST_F(TtlJudgeTest, AKeyThatIsMissingMustHaveExpiredBeforeAnythingLaterWasApplied) {
  Put("a", "v", 1'000);
  Read("a", "");
  EXPECT_EQ(Failures(), 0u) << "the time may have passed";
  Put("other", "w", 1'100);
  EXPECT_EQ(Failures(), 0u);
  Put("b", "v", 2'000);
  Read("b", "");
  Put("other", "w", 2'050);
  EXPECT_EQ(Failures(), 1u);
}

TEST_F(TtlJudgeTest, TheOwnersLastValueIsTheOnlyOne) {
  Put("a", "v1", 1'000);
  Put("a", "v2", 1'010);
  Read("a", "v1");
  EXPECT_EQ(Failures(), 1u);
}

}  // namespace
}  // namespace decree::sim

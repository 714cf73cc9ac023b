#include "kv/api/alarms.h"

#include <gtest/gtest.h>

#include "tests/api/caller_fixture.h"

namespace decree {
namespace {

class AlarmsTest : public testing::Test {
 protected:
  Instant At(Duration when) { return Instant{} + when; }

  VirtualExecutor executor_;
  std::vector<std::pair<std::uint64_t, Instant>> rung_;
  std::shared_ptr<Alarms> alarms_ = std::make_shared<Alarms>(
      executor_, [this](std::uint64_t id) { rung_.emplace_back(id, executor_.Now()); });
};

TEST_F(AlarmsTest, RingsInOrderAtTheirTimes) {
  alarms_->Set(1, At(30ms));
  alarms_->Set(2, At(10ms));
  alarms_->Set(3, At(20ms));
  executor_.RunFor(1s);
  ASSERT_EQ(rung_.size(), 3u);
  EXPECT_EQ(rung_[0], std::pair(std::uint64_t{2}, At(10ms)));
  EXPECT_EQ(rung_[1], std::pair(std::uint64_t{3}, At(20ms)));
  EXPECT_EQ(rung_[2], std::pair(std::uint64_t{1}, At(30ms)));
}

TEST_F(AlarmsTest, SettingAgainReplaces) {
  alarms_->Set(1, At(10ms));
  alarms_->Set(1, At(50ms));
  executor_.RunFor(1s);
  ASSERT_EQ(rung_.size(), 1u);
  EXPECT_EQ(rung_[0].second, At(50ms));
}

TEST_F(AlarmsTest, ClearedAndStoppedAlarmsDoNotRing) {
  alarms_->Set(1, At(10ms));
  alarms_->Set(2, At(20ms));
  alarms_->Clear(1);
  executor_.RunFor(15ms);
  EXPECT_TRUE(rung_.empty());
  alarms_->Stop();
  executor_.RunFor(1s);
  EXPECT_TRUE(rung_.empty());
}

TEST_F(AlarmsTest, ManyAlarmsWaitAsOneTask) {
  for (std::uint64_t id = 1; id <= 1000; ++id) alarms_->Set(id, At(milliseconds(10 + id)));
  EXPECT_EQ(executor_.pending(), 1u);
  executor_.RunFor(2s);
  EXPECT_EQ(rung_.size(), 1000u);
  EXPECT_EQ(executor_.pending(), 0u);
}

TEST_F(AlarmsTest, NothingRingsAfterDestruction) {
  alarms_->Set(1, At(10ms));
  alarms_.reset();
  executor_.RunFor(1s);
  EXPECT_TRUE(rung_.empty());
}

}  // namespace
}  // namespace decree

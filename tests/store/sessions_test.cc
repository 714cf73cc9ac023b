#include "kv/store/sessions.h"

#include <gtest/gtest.h>

#include "tests/store/machine_fixture.h"

namespace decree::store {
namespace {

constexpr WallMs kTenMinutes = 600'000;

class SessionsTest : public testing::Test, protected MachineOnDisk {};

TEST_F(SessionsTest, UnknownSessionIsNotExecuted) {
  EXPECT_EQ(Do(InSession(PutCommand("k", "v"), 7, 1)).code, Errc::kSessionExpired);
  EXPECT_FALSE(Has("k"));
  EXPECT_EQ(facts().sessions, 0u);
}

TEST_F(SessionsTest, RepeatedSequenceGetsTheFirstResultAndRunsOnce) {
  Do(OpenCommand(7));
  const Command once = InSession(When(PutCommand("k", "v"), {ConditionKind::kAbsent}), 7, 1);
  const CommandResult first = Do(once);
  EXPECT_TRUE(first.created);
  Do(PutCommand("k", "later"));
  EXPECT_EQ(Encode(Do(once)), Encode(first));
  EXPECT_EQ(Read("k")->value, "later");
}

TEST_F(SessionsTest, RefusalsAreRememberedToo) {
  Do(OpenCommand(7));
  const Command cas = InSession(When(PutCommand("k", "v"), {ConditionKind::kPresent}), 7, 1);
  EXPECT_EQ(Do(cas).code, Errc::kPreconditionFailed);
  Do(PutCommand("k", "now there"));
  EXPECT_EQ(Do(cas).code, Errc::kPreconditionFailed);
  EXPECT_EQ(Read("k")->value, "now there");
}

TEST_F(SessionsTest, DuplicateWithinOneBatchRunsOnce) {
  const auto results = Apply({OpenCommand(7), InSession(PutCommand("k", "v"), 7, 1),
                              InSession(PutCommand("k", "v"), 7, 1)});
  EXPECT_EQ(Encode(results[1]), Encode(results[2]));
  EXPECT_EQ(facts().last_version, 1u);
}

TEST_F(SessionsTest, SequencesMayArriveOutOfOrder) {
  Do(OpenCommand(7));
  EXPECT_EQ(Do(InSession(PutCommand("b", "v"), 7, 2)).code, Errc::kOk);
  EXPECT_EQ(Do(InSession(PutCommand("a", "v"), 7, 1)).code, Errc::kOk);
  EXPECT_TRUE(Has("a"));
}

TEST_F(SessionsTest, AcknowledgedResultsAreDropped) {
  Do(OpenCommand(7));
  for (std::uint64_t i = 1; i <= 5; ++i) Do(InSession(PutCommand("k", "v"), 7, i, 1));
  EXPECT_EQ(RowsWith("r"), 5u);
  const std::uint64_t bytes = facts().session_bytes;
  Do(InSession(PutCommand("k", "v"), 7, 6, 5));
  EXPECT_EQ(RowsWith("r"), 2u);
  EXPECT_LT(facts().session_bytes, bytes);
}

TEST_F(SessionsTest, StaleDuplicateBelowTheAcknowledgedIsNeverExecuted) {
  Do(OpenCommand(7));
  Do(InSession(PutCommand("k", "old"), 7, 1));
  Do(InSession(PutCommand("k", "new"), 7, 2, 2));
  const CommandResult late = Do(InSession(PutCommand("k", "old"), 7, 1));
  EXPECT_EQ(late.code, Errc::kSessionExpired);
  EXPECT_FALSE(late.detail.empty());
  EXPECT_EQ(Read("k")->value, "new");
  Reopen();  // the mark is in the rows
  EXPECT_EQ(Do(InSession(PutCommand("k", "old"), 7, 1)).code, Errc::kSessionExpired);
  EXPECT_EQ(Read("k")->value, "new");
}

TEST_F(SessionsTest, OpeningAnOpenSessionKeepsItsResults) {
  Do(OpenCommand(7));
  Do(InSession(PutCommand("k", "v"), 7, 1));
  EXPECT_EQ(Do(OpenCommand(7)).code, Errc::kOk);
  Do(InSession(PutCommand("k", "v"), 7, 1));
  EXPECT_EQ(facts().last_version, 1u);
  EXPECT_EQ(Do(OpenCommand(0)).code, Errc::kInvalidArgument);
}

TEST_F(SessionsTest, Scenario47_SessionBroughtBackByALateDuplicateRefusesCommandsOfItsFirstLife) {
  Command put = InSession(PutCommand("k", "v"), 7, 1);
  put.session.opened = Do(OpenCommand(7)).version;
  EXPECT_EQ(Do(OpenCommand(7)).version, put.session.opened) << "open already: the same life";
  EXPECT_EQ(Do(put).code, Errc::kOk);
  PassTime(kTenMinutes);
  EXPECT_NE(Do(OpenCommand(7)).version, put.session.opened);
  EXPECT_EQ(Do(put).code, Errc::kSessionExpired);
  EXPECT_EQ(facts().last_version, 1u);
}

TEST_F(SessionsTest, SessionsSurviveAReopenWithTheirResults) {
  Do(OpenCommand(7));
  const CommandResult first = Do(InSession(PutCommand("k", "v"), 7, 1));
  const MachineFacts before = facts();
  Reopen();
  EXPECT_EQ(Encode(Do(InSession(PutCommand("k", "v"), 7, 1))), Encode(first));
  EXPECT_EQ(facts().session_bytes, before.session_bytes);
}

TEST_F(SessionsTest, Scenario47_IdleSessionExpiresByReplicatedTime) {
  Do(OpenCommand(7));
  Do(InSession(PutCommand("k", "v"), 7, 1));
  EXPECT_EQ(machine().NextExpiry(), time_ms() + kTenMinutes);
  PassTime(kTenMinutes - 1);
  EXPECT_EQ(facts().sessions, 1u);
  PassTime(1);
  EXPECT_EQ(facts().sessions, 0u);
  EXPECT_EQ(facts().session_bytes, 0u);
  EXPECT_EQ(RowsWith("s") + RowsWith("r"), 0u);
  // A retry of what was executed, and an original that was on its way all the time.
  EXPECT_EQ(Do(InSession(PutCommand("k", "again"), 7, 1)).code, Errc::kSessionExpired);
  EXPECT_EQ(Do(InSession(PutCommand("delayed", "v"), 7, 2)).code, Errc::kSessionExpired);
  EXPECT_EQ(Read("k")->value, "v");
  EXPECT_EQ(Read("delayed").error(), Errc::kNotFound);
}

TEST_F(SessionsTest, UseKeepsASessionAlive) {
  Do(OpenCommand(7));
  for (std::uint64_t i = 1; i <= 4; ++i) {
    time_ms() += kTenMinutes - 1;
    EXPECT_EQ(Do(InSession(PutCommand("k", "v"), 7, i)).code, Errc::kOk);
  }
}

TEST_F(SessionsTest, OnlyTheNewestTenThousandSessionsStay) {
  const std::uint64_t limit = SessionLimits().sessions;
  std::vector<Command> opens;
  for (std::uint64_t client = 1; client <= limit; ++client) opens.push_back(OpenCommand(client));
  Apply(opens);
  EXPECT_EQ(facts().sessions, limit);
  Do(InSession(PutCommand("used", "v"), 1, 1));  // client 1 is the most recently used now
  Do(OpenCommand(limit + 1));
  EXPECT_EQ(facts().sessions, limit);
  EXPECT_EQ(RowsWith("s"), limit);
  EXPECT_EQ(Do(InSession(PutCommand("k", "v"), 1, 2)).code, Errc::kOk);
  EXPECT_EQ(Do(InSession(PutCommand("k", "v"), 2, 1)).code, Errc::kSessionExpired);
}

// The limits themselves, small enough to reach.
class SessionTableTest : public testing::Test {
 protected:
  static SessionLimits SmallLimits() {
    SessionLimits limits;
    limits.results = 4;
    limits.bytes = 1000;
    limits.expiries_per_slot = 2;
    return limits;
  }
  ApplyMoment Now() { return {Slot{++slot_}, time_ms_}; }
  bool Admitted(std::uint64_t client, std::uint64_t sequence) {
    return !table_.Admit({client, sequence, 0, 0}, Now(), rows_)->has_value();
  }

  MemDisk disk_{MemDiskOptions{}};
  std::unique_ptr<Engine> engine_ = disk_.OpenRows({ShardId{0}, ReplicaId{1}}).value();
  SessionTable table_{SmallLimits()};
  std::uint64_t slot_ = 0;
  WallMs time_ms_ = 1;
  RowOverlay rows_{*engine_};
};

TEST_F(SessionTableTest, ClientThatNeverAcknowledgesLosesItsOldestResults) {
  table_.Open(1, Now(), rows_);
  for (std::uint64_t i = 1; i <= 6; ++i) {
    ASSERT_TRUE(Admitted(1, i));
    table_.Remember({1, i, 0, 0}, {}, rows_);
  }
  EXPECT_EQ(table_.Admit({1, 2, 0, 0}, Now(), rows_)->value().code, Errc::kSessionExpired);
  EXPECT_EQ(table_.Admit({1, 3, 0, 0}, Now(), rows_)->value().code, Errc::kOk);
}

TEST_F(SessionTableTest, ByteLimitEvictsTheLeastRecentlyUsed) {
  CommandResult large;
  large.detail = std::string(300, 'x');
  for (std::uint64_t client = 1; client <= 3; ++client) {
    table_.Open(client, Now(), rows_);
    ASSERT_TRUE(Admitted(client, 1));
    table_.Remember({client, 1, 0, 0}, large, rows_);
  }
  EXPECT_LE(table_.bytes(), 1000u);
  EXPECT_EQ(table_.count(), 2u);
  EXPECT_FALSE(Admitted(1, 2));
  EXPECT_TRUE(Admitted(3, 2));
}

TEST_F(SessionTableTest, ExpiryIsBoundedButIdleSessionsAreUnknownAtOnce) {
  for (std::uint64_t client = 1; client <= 5; ++client) table_.Open(client, Now(), rows_);
  time_ms_ += kTenMinutes;
  table_.ExpireIdle(time_ms_, rows_);
  EXPECT_EQ(table_.count(), 3u);
  EXPECT_FALSE(Admitted(5, 1));
  table_.Open(5, Now(), rows_);
  EXPECT_TRUE(Admitted(5, 1));
}

TEST_F(SessionTableTest, LoadRefusesAResultWithoutItsSession) {
  ASSERT_TRUE(engine_->Write({{ResultKey(1, 1), Encode(CommandResult{})}}));
  EXPECT_EQ(table_.Load(*engine_->View()).error(), Errc::kCorruption);
}

}  // namespace
}  // namespace decree::store

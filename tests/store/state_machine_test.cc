#include "kv/store/state_machine.h"

#include <gtest/gtest.h>

#include "kv/api/limits.h"
#include "kv/base/random.h"
#include "kv/store/kv_apply.h"
#include "tests/store/machine_fixture.h"

namespace decree::store {
namespace {

class StateMachineTest : public testing::Test, protected MachineOnDisk {};

TEST_F(StateMachineTest, PutCreatesThenReplacesWithRisingVersions) {
  const CommandResult first = Do(PutCommand("k", "one"));
  const CommandResult second = Do(PutCommand("k", "two"));
  EXPECT_EQ(first.code, Errc::kOk);
  EXPECT_TRUE(first.created);
  EXPECT_FALSE(second.created);
  EXPECT_GT(second.version, first.version);
  EXPECT_EQ(Read("k")->value, "two");
  EXPECT_EQ(Read("k")->version, second.version);
  EXPECT_EQ(Read("other").error(), Errc::kNotFound);
}

TEST_F(StateMachineTest, EmptyValueIsAValue) {
  Do(PutCommand("k", ""));
  ASSERT_TRUE(Has("k"));
  EXPECT_EQ(Read("k")->value, "");
}

TEST_F(StateMachineTest, DeleteTellsWhetherThereWasAKey) {
  EXPECT_FALSE(Do(DeleteCommand("k")).created);
  EXPECT_EQ(Do(DeleteCommand("k")).code, Errc::kOk);
  Do(PutCommand("k", "v"));
  EXPECT_TRUE(Do(DeleteCommand("k")).created);
  EXPECT_FALSE(Has("k"));
  EXPECT_EQ(facts().keys, 0u);
  EXPECT_EQ(facts().data_bytes, 0u);
}

TEST_F(StateMachineTest, VersionsAreNeverUsedAgainAfterADelete) {
  Do(PutCommand("k", "v"));
  const std::uint64_t deleted = Do(DeleteCommand("k")).version;
  EXPECT_GT(Do(PutCommand("k", "v")).version, deleted);
}

TEST_F(StateMachineTest, CommandsOfOneBatchSeeEachOther) {
  const auto results =
      Apply({PutCommand("k", "1"), When(PutCommand("k", "2"), {ConditionKind::kAbsent}),
             When(PutCommand("k", "3"), {ConditionKind::kValueIs, 0, "1"}), DeleteCommand("k"),
             PutCommand("k", "4")});
  EXPECT_EQ(results[1].code, Errc::kPreconditionFailed);
  EXPECT_EQ(results[2].code, Errc::kOk);
  EXPECT_TRUE(results[3].created);
  EXPECT_TRUE(results[4].created);
  EXPECT_EQ(Read("k")->value, "4");
  EXPECT_EQ(facts().keys, 1u);
}

TEST_F(StateMachineTest, FailedConditionNamesTheCurrentVersion) {
  const std::uint64_t version = Do(PutCommand("k", "v")).version;
  const Condition conditions[] = {{ConditionKind::kAbsent},
                                  {ConditionKind::kVersionIs, version + 1},
                                  {ConditionKind::kValueIs, 0, "w"}};
  for (const Condition& condition : conditions) {
    const CommandResult refused = Do(When(PutCommand("k", "new"), condition));
    EXPECT_EQ(refused.code, Errc::kPreconditionFailed);
    EXPECT_EQ(refused.version, version);
  }
  EXPECT_EQ(Read("k")->value, "v");
  const CommandResult absent = Do(When(DeleteCommand("other"), {ConditionKind::kPresent}));
  EXPECT_EQ(absent.code, Errc::kPreconditionFailed);
  EXPECT_EQ(absent.version, 0u);
}

TEST_F(StateMachineTest, ConditionsThatHoldLetTheCommandThrough) {
  const std::uint64_t version = Do(When(PutCommand("k", "v"), {ConditionKind::kAbsent})).version;
  EXPECT_EQ(Do(When(PutCommand("k", "w"), {ConditionKind::kVersionIs, version})).code, Errc::kOk);
  EXPECT_EQ(Do(When(PutCommand("k", "x"), {ConditionKind::kValueIs, 0, "w"})).code, Errc::kOk);
  EXPECT_EQ(Do(When(DeleteCommand("k"), {ConditionKind::kPresent})).code, Errc::kOk);
  EXPECT_FALSE(Has("k"));
}

TEST_F(StateMachineTest, LimitsHoldInTheLogToo) {
  EXPECT_EQ(Do(PutCommand("", "v")).code, Errc::kInvalidArgument);
  EXPECT_EQ(Do(PutCommand(std::string(kMaxKeyBytes + 1, 'k'), "v")).code, Errc::kTooLarge);
  EXPECT_EQ(Do(PutCommand("k", std::string(kMaxValueBytes + 1, 'v'))).code, Errc::kTooLarge);
  EXPECT_EQ(Do(PutCommand("k", "v", kMaxTtlMs + 1)).code, Errc::kInvalidArgument);
  const Condition large{ConditionKind::kValueIs, 0, std::string(kMaxValueBytes + 1, 'v')};
  EXPECT_EQ(Do(When(PutCommand("k", "v"), large)).code, Errc::kTooLarge);
  EXPECT_EQ(Do(When(DeleteCommand("k"), large)).code, Errc::kTooLarge);
  EXPECT_EQ(Do(PutCommand(std::string(kMaxKeyBytes, 'k'), std::string(kMaxValueBytes, 'v'))).code,
            Errc::kOk);
  EXPECT_EQ(facts().keys, 1u);
}

TEST_F(StateMachineTest, PlacementCommandsAreNotForDataShards) {
  Command command;
  command.kind = CommandKind::kPlacement;
  EXPECT_EQ(Do(command).code, Errc::kInvalidArgument);
}

TEST_F(StateMachineTest, PayloadThatIsNoBatchChangesNothingButTheSlot) {
  Do(PutCommand("k", "v"));
  consensus::Decree garbage;
  garbage.kind = consensus::DecreeKind::kCommandBatch;
  garbage.payload = std::make_shared<const std::string>("\xff\xff\xff garbage");
  const auto applied = machine().Apply({{Slot{2}, garbage}});
  ASSERT_TRUE(applied);
  EXPECT_TRUE(applied->front().results.empty());
  EXPECT_EQ(facts().applied, Slot{2});
  EXPECT_TRUE(Has("k"));
}

TEST_F(StateMachineTest, MarkAnswersItsSlotAndChangesNoData) {
  Do(PutCommand("k", "v"));
  const auto decree = BatchDecree(Slot{2}, time_ms(), {MarkCommand()});
  EXPECT_TRUE(HoldsMark(decree.decree));
  const auto applied = machine().Apply({decree});
  ASSERT_TRUE(applied);
  EXPECT_TRUE(applied->front().has_mark);
  EXPECT_EQ(applied->front().results.at(0).version, 2u);
  EXPECT_EQ(facts().last_version, 1u);
}

TEST_F(StateMachineTest, HoldsMarkReadsPastEveryFieldOfACommand) {
  Command full = When(InSession(PutCommand("key", "value", 77), 1, 300, 299),
                      {ConditionKind::kValueIs, 500, "old"});
  EXPECT_TRUE(HoldsMark(BatchDecree(Slot{1}, 5, {full, full, MarkCommand(), full}).decree));
  full.key = std::string(3, '\3');  // the number of kMark, in a place that is no kind
  EXPECT_FALSE(HoldsMark(BatchDecree(Slot{1}, 5, {full, full}).decree));
  EXPECT_FALSE(HoldsMark(consensus::Decree{}));
}

TEST_F(StateMachineTest, KeyExpiresWhenReplicatedTimePassesItsExpiry) {
  const CommandResult put = Do(PutCommand("k", "v", 500));
  EXPECT_EQ(put.expires_at_ms, time_ms() + 500);
  EXPECT_EQ(machine().NextExpiry(), put.expires_at_ms);
  PassTime(499);
  EXPECT_TRUE(Has("k"));
  EXPECT_EQ(Read("k")->expires_at_ms, put.expires_at_ms);
  PassTime(1);
  EXPECT_FALSE(Has("k"));
  EXPECT_EQ(RowsWith("d") + RowsWith("e"), 0u);
  EXPECT_EQ(machine().NextExpiry(), 0u);
  EXPECT_EQ(facts().keys, 0u);
  EXPECT_EQ(facts().data_bytes, 0u);
}

TEST_F(StateMachineTest, ReplicatedTimeNeverFalls) {
  Do(PutCommand("k", "v", 500));
  PassTime(500);
  time_ms() -= 400;
  Apply({});
  EXPECT_FALSE(Has("k"));
  EXPECT_EQ(Do(PutCommand("n", "v", 10)).expires_at_ms, time_ms() + 410);
}

TEST_F(StateMachineTest, LaterPutTakesTheExpiryAway) {
  Do(PutCommand("k", "v", 500));
  Do(PutCommand("k", "w"));
  EXPECT_EQ(RowsWith("e"), 0u);
  PassTime(600);
  EXPECT_EQ(Read("k")->value, "w");
  EXPECT_EQ(machine().NextExpiry(), 0u) << "an expiry that is no more corrects itself";
}

TEST_F(StateMachineTest, PurgeIsBoundedAndExpiredKeysAreAbsentBeforeIt) {
  const std::size_t count = kPurgedKeysPerSlot + 10;
  std::vector<Command> puts;
  for (std::size_t i = 0; i < count; ++i)
    puts.push_back(PutCommand("k" + std::to_string(i), "v", 5));
  Apply(puts);
  PassTime(5);
  EXPECT_EQ(RowsWith("d"), 10u);
  for (std::size_t i = 0; i < count; ++i) EXPECT_FALSE(Has("k" + std::to_string(i)));
  EXPECT_TRUE(machine().Scan({})->rows.empty());
  EXPECT_LE(machine().NextExpiry(), time_ms()) << "the leader is asked for another batch";
  Apply({});
  EXPECT_EQ(RowsWith("d") + RowsWith("e"), 0u);
}

TEST_F(StateMachineTest, ExpiredButUnpurgedKeyIsAbsentToConditionsAndCountedOnce) {
  std::vector<Command> puts;
  for (std::size_t i = 0; i < kPurgedKeysPerSlot; ++i)
    puts.push_back(PutCommand("a" + std::to_string(i), "v", 4));
  puts.push_back(PutCommand("z", "old", 5));
  puts.push_back(PutCommand("y", "old", 5));
  Apply(puts);
  time_ms() += 5;
  const auto results =
      Apply({When(PutCommand("z", "new"), {ConditionKind::kAbsent}),
             When(DeleteCommand("y"), {ConditionKind::kPresent}), DeleteCommand("y")});
  EXPECT_EQ(results[0].code, Errc::kOk);
  EXPECT_TRUE(results[0].created);
  EXPECT_EQ(results[1].code, Errc::kPreconditionFailed);
  EXPECT_FALSE(results[2].created);
  EXPECT_EQ(facts().keys, 1u);
  EXPECT_EQ(facts().data_bytes, 4u);
  PassTime(100);
  EXPECT_EQ(Read("z")->value, "new");
}

TEST_F(StateMachineTest, ScanPagesInKeyOrderWithinThePrefix) {
  for (const char* key : {"b/3", "a", "b/1", "c", "b/2"}) Do(PutCommand(key, "v"));
  ScanRequest request;
  request.prefix = "b/";
  request.limit = 2;
  const ScanResult first = *machine().Scan(request);
  ASSERT_EQ(first.rows.size(), 2u);
  EXPECT_EQ(first.rows[0].key, "b/1");
  EXPECT_FALSE(first.complete);
  request.after = first.rows.back().key;
  const ScanResult second = *machine().Scan(request);
  ASSERT_EQ(second.rows.size(), 1u);
  EXPECT_EQ(second.rows[0].key, "b/3");
  EXPECT_TRUE(second.complete);
}

TEST_F(StateMachineTest, ScanPageIsBoundedByBytes) {
  for (char key = 'a'; key < 'h'; ++key)
    Do(PutCommand(std::string(1, key), std::string(kMaxValueBytes, 'v')));
  const ScanResult page = *machine().Scan({});
  EXPECT_EQ(page.rows.size(), 4u);
  EXPECT_FALSE(page.complete);
}

TEST_F(StateMachineTest, ReopenedMachineGoesOnWhereTheRowsAre) {
  Do(PutCommand("k", "v", 1000));
  const MachineFacts before = facts();
  Reopen();
  EXPECT_EQ(Encode(facts()), Encode(before));
  EXPECT_EQ(machine().NextExpiry(), time_ms() + 1000);
  EXPECT_GT(Do(PutCommand("k2", "v")).version, before.last_version);
}

TEST_F(StateMachineTest, FactsRowHoldsWhatRecoveryGoesBy) {
  EXPECT_FALSE(ReadFacts(engine())->has_value());
  Do(PutCommand("k", "v"));
  const auto stored = ReadFacts(*engine().View());
  ASSERT_TRUE(stored && stored->has_value());
  EXPECT_EQ((*stored)->applied, Slot{1});
  EXPECT_EQ((*stored)->config, GenesisConfig());
}

TEST_F(StateMachineTest, SealChangesTheConfigurationInTheSameBatch) {
  consensus::Decree seal;
  seal.kind = consensus::DecreeKind::kSeal;
  seal.next_voters = {{ReplicaId{1}, NodeId{1}}};
  ASSERT_TRUE(machine().Apply({{Slot{1}, seal}}));
  EXPECT_EQ((*ReadFacts(engine()))->config.epoch, Epoch{2});
  EXPECT_EQ((*ReadFacts(engine()))->config, consensus::Advance(GenesisConfig(), Slot{1}, seal));
}

TEST_F(StateMachineTest, FailedWriteLeavesFactsAndIsTriedAgainFromTheRows) {
  Do(OpenCommand(9));
  const std::string digest = Digest();
  disk().SetFull(true);
  const auto decree = BatchDecree(Slot{2}, time_ms(), {InSession(PutCommand("k", "v", 50), 9, 1)});
  EXPECT_EQ(machine().Apply({decree}).error(), Errc::kNoSpace);
  EXPECT_EQ(facts().applied, Slot{1});
  EXPECT_EQ(Digest(), digest);
  disk().SetFull(false);
  const auto applied = machine().Apply({decree});
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->front().results.at(0).code, Errc::kOk);
  EXPECT_TRUE(applied->front().results.at(0).created);
}

TEST_F(StateMachineTest, CorruptRowIsAnErrorNotACrash) {
  ASSERT_TRUE(engine().Write({{"dk", "\x7f not a row"}}));
  EXPECT_EQ(Read("k").error(), Errc::kCorruption);
  EXPECT_EQ(machine().Scan({}).error(), Errc::kCorruption);
  EXPECT_EQ(machine().Apply({BatchDecree(Slot{1}, 1, {PutCommand("k", "v")})}).error(),
            Errc::kCorruption);
}

TEST(DigestRowsTest, TellsWhereAKeyEndsAndItsValueBegins) {
  MemDisk disk(MemDiskOptions{});
  const auto a = disk.OpenRows({ShardId{0}, ReplicaId{1}}).value();
  const auto b = disk.OpenRows({ShardId{0}, ReplicaId{2}}).value();
  ASSERT_TRUE(a->Write({{"dab", "c"}}));
  ASSERT_TRUE(b->Write({{"da", "bc"}}));
  EXPECT_NE(*DigestRows(*a->View()), *DigestRows(*b->View()));
  EXPECT_EQ(DigestRows(*a->View())->size(), 32u);
}

// ---- equal logs give equal rows, however the decrees are grouped into calls ----

Command RandomCommand(Random& random) {
  const std::uint64_t client = random.Below(4);
  if (random.Chance(0.1)) return OpenCommand(1 + random.Below(6));
  const std::string key = "k" + std::to_string(random.Below(20));
  Command command = random.Chance(0.7) ? PutCommand(key, std::string(random.Below(30), 'v'),
                                                    random.Chance(0.4) ? 1 + random.Below(300) : 0)
                                       : DeleteCommand(key);
  if (random.Chance(0.3)) {
    const auto kind = static_cast<ConditionKind>(random.Below(5));
    command.condition = {kind, random.Below(100), std::string(random.Below(30), 'v')};
  }
  const std::uint64_t sequence = 1 + random.Below(50);
  return client == 0 ? command : InSession(command, client, sequence, random.Below(sequence + 1));
}

std::vector<consensus::ChosenDecree> RandomLog(std::uint64_t seed) {
  Random random(seed);
  std::vector<consensus::ChosenDecree> log;
  WallMs time_ms = 1'000'000;
  for (std::uint64_t slot = 1; slot <= 200; ++slot) {
    time_ms += random.Chance(0.02) ? 700'000 : random.Below(100);
    std::vector<Command> commands;
    for (std::uint64_t left = random.Below(6); left > 0; --left)
      commands.push_back(RandomCommand(random));
    log.push_back(BatchDecree(Slot{slot}, time_ms, std::move(commands)));
    if (random.Chance(0.1)) log.back().decree = consensus::Decree{};
  }
  return log;
}

std::vector<std::string> ApplyInGroups(MachineOnDisk& replica, Random random,
                                       const std::vector<consensus::ChosenDecree>& log) {
  std::vector<std::string> results;
  for (std::size_t at = 0; at < log.size();) {
    const std::size_t size = std::min<std::size_t>(1 + random.Below(9), log.size() - at);
    const auto first = log.begin() + static_cast<std::ptrdiff_t>(at);
    const auto applied =
        replica.machine().Apply({first, first + static_cast<std::ptrdiff_t>(size)});
    EXPECT_TRUE(applied);
    for (const AppliedSlot& slot : *applied) results.push_back(Encode(slot.results));
    at += size;
    if (random.Chance(0.1)) replica.Reopen();
  }
  return results;
}

TEST(StateMachineDeterminismTest, GroupingAndRestartsDoNotShowInRowsOrResults) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    const auto log = RandomLog(seed);
    MachineOnDisk a;
    MachineOnDisk b;
    const auto results_a = ApplyInGroups(a, Random(seed * 2), log);
    const auto results_b = ApplyInGroups(b, Random(seed * 2 + 1), log);
    ASSERT_EQ(results_a, results_b) << "seed " << seed;
    ASSERT_EQ(a.Digest(), b.Digest()) << "seed " << seed;
    ASSERT_EQ(a.facts().keys, a.RowsWith("d")) << "seed " << seed;
    ASSERT_EQ(a.facts().sessions, a.RowsWith("s")) << "seed " << seed;
  }
}

}  // namespace
}  // namespace decree::store

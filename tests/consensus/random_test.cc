#include "kv/base/mark.h"
#include "tests/base/scale.h"
#include "tests/consensus/random_cluster.h"
#include "tests/consensus/random_marks.h"

namespace decree::consensus::testing {
namespace {

#ifdef NDEBUG
constexpr std::uint64_t kSeeds = 1500;
#else
constexpr std::uint64_t kSeeds = 150;
#endif

// Rare paths that the schedules above must have gone through, or they prove nothing about them.
const char* const kMarks[] = {"consensus_accepts_resent",
                              "consensus_answered_sealed",
                              "consensus_base_fetched",
                              "consensus_chosen_value_in_promise",
                              "consensus_deferred_message_handled",
                              "consensus_heard_sealed",
                              "consensus_lease_released",
                              "consensus_leader_rejected",
                              "consensus_leader_stepped_down",
                              "consensus_learner_asked_around",
                              "consensus_prepare_refused_for_a_lease",
                              "consensus_promise_in_pages",
                              "consensus_read_by_lease",
                              "consensus_seal_recovered",
                              "consensus_shard_fell_asleep",
                              "consensus_sleeping_leader_called",
                              "consensus_sleeping_leader_woken_by_a_request",
                              "consensus_snapshot_installed",
                              "consensus_transfer_taken",
                              "consensus_vote_proposed_again"};

TEST(SmokeTest, ThreeReplicasElectChooseAndRead) {
  ClusterOptions options;
  RandomCluster cluster(1, options);
  cluster.Run(2s);
  cluster.HealAndSettle();
  EXPECT_EQ(cluster.Failure(), "");
  EXPECT_GT(cluster.acknowledged(), 100u);
  EXPECT_GT(cluster.reads_served(), 50u);
}

TEST(RandomScheduleTest, InvariantsHoldAndHealedClustersSettle) {
  const char* first = std::getenv("DECREE_CONSENSUS_SEED");
  const char* count = std::getenv("DECREE_CONSENSUS_SEEDS");
  const std::uint64_t begin = first ? std::stoull(first) : 1;
  const std::uint64_t end = begin + (count ? std::stoull(count) : first ? 1 : test::Scaled(kSeeds));
  std::size_t acknowledged = 0, reads = 0, lease_reads = 0, moves = 0;
  for (std::uint64_t seed = begin; seed < end; ++seed) {
    RandomCluster cluster(seed);
    cluster.Run(1500ms);
    cluster.HealAndSettle();
    ASSERT_EQ(cluster.Failure(), "") << "replay with DECREE_CONSENSUS_SEED=" << seed;
    acknowledged += cluster.acknowledged();
    reads += cluster.reads_served();
    lease_reads += cluster.lease_reads();
    moves += cluster.moves_done();
  }
  RecordProperty("acknowledged", static_cast<int>(acknowledged));
  RecordProperty("reads", static_cast<int>(reads));
  RecordProperty("moves", static_cast<int>(moves));
  if (end - begin < 100) return;
  EXPECT_GT(acknowledged, 1000u);
  EXPECT_GT(reads, 1000u);
  EXPECT_GT(lease_reads, 1000u);
  EXPECT_GT(moves, 50u);
  std::map<std::string, bool> marks = MarksReached();
  for (const char* mark : kMarks) EXPECT_TRUE(marks[mark]) << mark << " was never reached";
  for (const std::string_view mark : kMarksOfBareReplicas) {
    EXPECT_TRUE(marks[std::string(mark)]) << mark << " was never reached";
  }
}

TEST(RandomScheduleTest, OneSeedGivesOneTrace) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    RandomCluster a(seed), b(seed);
    a.Run(800ms);
    b.Run(800ms);
    EXPECT_EQ(a.digest(), b.digest()) << seed;
  }
}

}  // namespace
}  // namespace decree::consensus::testing

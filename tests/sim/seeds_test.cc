// A share of the seeds that decree-sim runs for hours, in the test command.
#include <gtest/gtest.h>

#include "kv/base/mark.h"
#include "tests/base/scale.h"
#include "tests/sim/seed_run.h"

namespace decree::sim {
namespace {

std::string Replay(const SeedReport& report, bool small) {
  std::string text = "replay: decree-sim --seed " + std::to_string(report.seed) +
                     (small ? " --small" : "") + " --trace\n";
  for (const std::string& failure : report.failures) text += failure + "\n";
  return text;
}

void RunSeeds(std::uint64_t first, std::uint64_t last) {
  last = first + test::Scaled(last - first + 1) - 1;
  std::uint64_t answered = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const SeedReport report = RunSeed({.seed = seed, .small = true});
    EXPECT_TRUE(report.ok()) << Replay(report, true);
    answered += report.operations.ok;
  }
  // A run in which nothing happens proves nothing.
  EXPECT_GT(answered, 20 * (last - first + 1));
}

TEST(SeedsTest, Seeds1To75KeepEveryRule) { RunSeeds(1, 75); }
TEST(SeedsTest, Seeds76To150KeepEveryRule) { RunSeeds(76, 150); }
TEST(SeedsTest, Seeds151To225KeepEveryRule) { RunSeeds(151, 225); }
TEST(SeedsTest, Seeds226To300KeepEveryRule) { RunSeeds(226, 300); }

// What decree-sim runs for hours: a minute of load, a thousand operations, moves that end.
TEST(SeedsTest, NearlyEverySeedOfFullLengthCounts) {
  const std::uint64_t seeds = test::Scaled(15);
  std::uint64_t missed = 0;
  for (std::uint64_t seed = 2'001; seed < 2'001 + seeds; ++seed) {
    const SeedReport report = RunSeed({.seed = seed});
    EXPECT_TRUE(report.ok()) << Replay(report, false);
    missed += !report.counts();
  }
  EXPECT_LE(missed, 1 + seeds / 15);
}

// These failed once. Three: the liveness mode left a machine to a wipe after it had broken another
// for good. 947: INV-8 held a replica to what only the rows had told that a fault then took. The
// fifth: a call under way kept half a snapshot alive for longer than its disk, which only a memory
// checker sees each time. 379: a voter that became a learner tells no promise. 675: a bit of a
// table's footer was damaged at its source, and the table installed. Then: rows that were still
// in use when their replica was buried lay there for ever. The next two: the liveness mode broke
// the machine from which the only voter of the next epoch had still to learn, and the operator
// drained and undrained a lost node in turn. Then a move waited for a deaf voter, and was not
// found to be stalled because its target fell behind for moments. Then a cluster was founded
// while a worker that was to open replicas was kept from its work. The next two: the leader of the
// placement group did not reach the shard's, over the one link that stayed broken. The last: the
// liveness mode went on with a network that lost a third of everything.
TEST(SeedsTest, SeedsThatFailedOnceKeepEveryRule) {
  for (const std::uint64_t seed :
       {1'196'368'109'555ull, 1'196'368'109'672ull, 1'196'368'109'826ull, 947ull, 3'401'286'088ull,
        379ull, 675ull, 14'182'664'969'594ull, 4'190'189'384'774ull, 7'743'535'923'939ull,
        13'532'368'588'704ull, 11'369'927'210'273ull, 3'210'174'543'847ull, 3'210'174'544'018ull,
        15'509'722'793'922ull}) {
    const SeedReport report = RunSeed({.seed = seed});
    EXPECT_TRUE(report.ok()) << Replay(report, false);
  }
}

TEST(SeedsTest, TheSameSeedGivesTheSameRun) {
  for (std::uint64_t seed = 1001; seed <= 1008; ++seed) {
    const SeedReport once = RunSeed({.seed = seed, .small = true});
    const SeedReport again = RunSeed({.seed = seed, .small = true});
    EXPECT_EQ(once.digest, again.digest) << "seed " << seed;
    EXPECT_EQ(once.events, again.events) << "seed " << seed;
  }
}

TEST(SeedsTest, AnotherSeedGivesAnotherRun) {
  EXPECT_NE(RunSeed({.seed = 1009, .small = true}).digest,
            RunSeed({.seed = 1010, .small = true}).digest);
}

}  // namespace
}  // namespace decree::sim

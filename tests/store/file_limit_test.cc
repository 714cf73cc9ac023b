#include "kv/store/file_limit.h"

#include <gtest/gtest.h>

namespace decree::store {
namespace {

TEST(OpenFileShareTest, SixtyFourReplicasFitIntoTheUsualLimitOfAProcess) {
  EXPECT_GE(OpenFileShare(1024 / 4 * 3).most_databases(), 64u);
}

TEST(OpenFileShareTest, NoNumberOfReplicasHasMoreTablesOpenThanThereAreDescriptors) {
  for (const std::uint64_t descriptors : {300u, 768u, 3000u, 50'000u, 1'000'000u}) {
    const OpenFileShare share(descriptors);
    for (std::uint64_t open = 1; open <= descriptors / 32; ++open) {
      const auto each = static_cast<std::uint64_t>(share.TablesFor(open));
      ASSERT_LE(open * (OpenFileShare::kIdle + each), descriptors) << open;
    }
  }
}

TEST(OpenFileShareTest, MoreReplicasHaveFewerTablesEachButNeverLessThanRocksDbNeeds) {
  const OpenFileShare share(1000);
  EXPECT_EQ(share.TablesFor(1), 256);
  EXPECT_EQ(share.TablesFor(5), 120);
  EXPECT_EQ(share.TablesFor(8), 120) << "the same up to a power of two";
  EXPECT_EQ(share.TablesFor(9), 57);
  EXPECT_EQ(share.TablesFor(1'000'000), 10);
}

TEST(OpenFileLimitTest, IsTheLimitOfThisProcess) { EXPECT_GE(OpenFileLimit(), 64u); }

}  // namespace
}  // namespace decree::store

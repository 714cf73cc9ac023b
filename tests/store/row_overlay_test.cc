#include "kv/store/row_overlay.h"

#include <gtest/gtest.h>

#include "kv/store/mem_disk.h"

namespace decree::store {
namespace {

class RowOverlayTest : public testing::Test {
 protected:
  RowOverlayTest() {
    EXPECT_TRUE(engine_->Write({{"a/1", "s1"}, {"a/3", "s3"}, {"a/5", "s5"}, {"b", "sb"}}));
  }
  std::string Visited(std::string_view prefix, std::size_t limit = 100) {
    std::string seen;
    EXPECT_TRUE(rows_.Visit(prefix, [&](std::string_view key, std::string_view value) {
      seen += std::string(key) + "=" + std::string(value) + " ";
      return --limit > 0;
    }));
    return seen;
  }

  MemDisk disk_{MemDiskOptions{}};
  std::unique_ptr<Engine> engine_ = disk_.OpenRows({ShardId{0}, ReplicaId{1}}).value();
  RowOverlay rows_{*engine_};
};

TEST_F(RowOverlayTest, ChangesHideWhatIsStored) {
  rows_.Put("a/1", "new");
  rows_.Delete("a/3");
  EXPECT_EQ(*rows_.Get("a/1"), "new");
  EXPECT_EQ(*rows_.Get("a/3"), std::nullopt);
  EXPECT_EQ(*rows_.Get("a/5"), "s5");
  EXPECT_EQ(*rows_.Get("c"), std::nullopt);
  EXPECT_EQ(*engine_->Get("a/1"), "s1") << "nothing is written yet";
}

TEST_F(RowOverlayTest, VisitMergesStoredAndChangedRowsInOrder) {
  rows_.Put("a/0", "n0");
  rows_.Put("a/3", "n3");
  rows_.Delete("a/5");
  rows_.Put("a/9", "n9");
  EXPECT_EQ(Visited("a/"), "a/0=n0 a/1=s1 a/3=n3 a/9=n9 ");
  EXPECT_EQ(Visited("a/", 2), "a/0=n0 a/1=s1 ");
  EXPECT_EQ(Visited("z"), "");
}

TEST_F(RowOverlayTest, TakenBatchHoldsTheLastChangeOfEachRow) {
  rows_.Put("x", "1");
  rows_.Put("x", "2");
  rows_.Delete("b");
  const RowBatch batch = rows_.Take();
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch[0].key, "b");
  EXPECT_EQ(batch[0].value, std::nullopt);
  EXPECT_EQ(batch[1].value, "2");
  EXPECT_TRUE(rows_.Take().empty());
}

}  // namespace
}  // namespace decree::store

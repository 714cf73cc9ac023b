#include "kv/store/row_digest.h"

#include <gtest/gtest.h>

#include "tests/store/test_disk.h"

namespace decree::store {
namespace {

class RowDigestTest : public testing::TestWithParam<DiskKind> {
 protected:
  void Put(int rows) {
    RowBatch batch;
    for (int i = 0; i < rows; ++i) {
      batch.push_back({"key" + std::to_string(i), std::string(static_cast<std::size_t>(i), 'v')});
    }
    ASSERT_TRUE(engine_->Write(batch));
  }

  std::unique_ptr<TestDisk> disk_ = GetParam().make();
  std::unique_ptr<Engine> engine_ = *disk_->disk().OpenRows(Key(5, 2));
};

INSTANTIATE_TEST_SUITE_P(Disks, RowDigestTest, testing::ValuesIn(AllDiskKinds()),
                         [](const auto& param) { return param.param.name; });

TEST_P(RowDigestTest, PieceByPieceItIsWhatItIsInOneGo) {
  Put(100);
  const std::string whole = *DigestRows(*engine_->View());
  for (const std::uint64_t piece : {std::uint64_t{1}, std::uint64_t{1000}}) {
    RowDigest digest(std::shared_ptr<const RowView>(engine_->View()));
    int pieces = 1;
    for (; *digest.More(piece); ++pieces) {
      ASSERT_TRUE(engine_->Write({{"key50", "written meanwhile " + std::to_string(pieces)}}));
    }
    EXPECT_EQ(digest.Hex(), whole) << piece;
    EXPECT_GT(pieces, 4);
    Put(100);
  }
}

TEST_P(RowDigestTest, NoRowsHaveADigest) {
  RowDigest digest(std::shared_ptr<const RowView>(engine_->View()));
  EXPECT_FALSE(*digest.More(1));
  EXPECT_EQ(digest.Hex(), *DigestRows(*engine_->View()));
}

TEST_P(RowDigestTest, KeysAndValuesAreToldApart) {
  ASSERT_TRUE(engine_->Write({{"ab", "c"}}));
  const std::string one = *DigestRows(*engine_->View());
  ASSERT_TRUE(engine_->Write({{"ab", std::nullopt}, {"a", "bc"}}));
  EXPECT_NE(*DigestRows(*engine_->View()), one);
}

}  // namespace
}  // namespace decree::store

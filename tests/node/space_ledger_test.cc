#include "server/node/space_ledger.h"

#include <gtest/gtest.h>

#include "kv/store/mem_disk.h"

namespace decree::node {
namespace {

class SpaceLedgerTest : public testing::Test {
 protected:
  static store::MemDiskOptions Small() {
    store::MemDiskOptions options;
    options.capacity_bytes = 1000;
    return options;
  }

  store::MemDisk disk_{Small()};
  const std::shared_ptr<SpaceLedger> ledger_ = std::make_shared<SpaceLedger>();
  SpacePromise one_{ledger_};
  SpacePromise two_{ledger_};
};

TEST_F(SpaceLedgerTest, NothingIsPromisedTwice) {
  EXPECT_TRUE(one_.Set(600, disk_));
  const Status second = two_.Set(500, disk_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), Errc::kNoSpace);
  EXPECT_EQ(second.error().detail(),
            "500 bytes of rows do not fit on mem, where 1000 are free and 600 of them promised to "
            "other replicas");
  EXPECT_TRUE(two_.Set(400, disk_));
  EXPECT_EQ(ledger_->promised(), 1000u);
}

TEST_F(SpaceLedgerTest, ANewPromiseTakesThePlaceOfTheFormer) {
  EXPECT_TRUE(one_.Set(600, disk_));
  EXPECT_TRUE(one_.Set(1000, disk_));
  EXPECT_FALSE(one_.Set(1001, disk_));
  EXPECT_EQ(ledger_->promised(), 0u);
}

TEST_F(SpaceLedgerTest, WhatIsWrittenIsNotCountedTwice) {
  EXPECT_TRUE(one_.Set(600, disk_));
  one_.Written(500);
  two_.Written(500);
  EXPECT_EQ(ledger_->promised(), 100u);
  one_.Written(500);
  EXPECT_EQ(ledger_->promised(), 0u);
}

TEST_F(SpaceLedgerTest, WhoeverEndsGivesBack) {
  {
    SpacePromise brief(ledger_);
    EXPECT_TRUE(brief.Set(1000, disk_));
    EXPECT_FALSE(one_.Set(1, disk_));
  }
  EXPECT_TRUE(one_.Set(1000, disk_));
}

TEST_F(SpaceLedgerTest, AFullDiskIsPromisedToNobody) {
  disk_.SetFull(true);
  EXPECT_FALSE(one_.Set(1, disk_));
  EXPECT_TRUE(one_.Set(0, disk_));
}

TEST_F(SpaceLedgerTest, SumsDoNotOverflow) {
  EXPECT_TRUE(one_.Set(1000, disk_));
  EXPECT_FALSE(two_.Set(~std::uint64_t{0}, disk_));
}

}  // namespace
}  // namespace decree::node

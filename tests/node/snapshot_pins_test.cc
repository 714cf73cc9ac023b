#include "server/node/snapshot_pins.h"

#include <gtest/gtest.h>

#include <map>

namespace decree::node {
namespace {

class NoFiles : public store::SnapshotSource {
 public:
  const std::vector<store::SnapshotFile>& files() const override { return files_; }
  Result<std::string> Read(const std::string&, std::uint64_t, std::size_t) const override {
    return Errc::kNotFound;
  }

 private:
  std::vector<store::SnapshotFile> files_;
};

class SnapshotPinsTest : public testing::Test {
 protected:
  std::optional<Slot> Lowest() {
    return pins_.Lowest(now_, [this](ReplicaId member) -> std::optional<Slot> {
      const auto found = durable_.find(member);
      if (found == durable_.end()) return std::nullopt;
      return found->second;
    });
  }

  SnapshotPins pins_;
  Instant now_{0};
  std::map<ReplicaId, Slot> durable_;
  const ReplicaId a_{4};
  const ReplicaId b_{5};
};

TEST_F(SnapshotPinsTest, ThePinHoldsFromBeforeTheFreezingUntilTheMemberReports) {
  EXPECT_EQ(Lowest(), std::nullopt);
  const auto pin = pins_.Begin(a_, Slot{100});
  now_ = now_ + 100s;
  EXPECT_EQ(Lowest(), Slot{100}) << "freezing takes its time";
  auto files = std::make_shared<NoFiles>();
  pins_.Frozen(pin, files);
  now_ = now_ + 100s;
  EXPECT_EQ(Lowest(), Slot{100}) << "and so does reading";
  files.reset();
  EXPECT_EQ(Lowest(), Slot{100}) << "it installs what it has read";
  durable_[a_] = Slot{99};
  EXPECT_EQ(Lowest(), Slot{100});
  durable_[a_] = Slot{100};
  EXPECT_EQ(Lowest(), std::nullopt);
}

TEST_F(SnapshotPinsTest, AMemberThatNeverComesBackIsGivenUp) {
  const auto pin = pins_.Begin(a_, Slot{100});
  pins_.Frozen(pin, std::make_shared<NoFiles>());
  now_ = now_ + 100s;
  EXPECT_EQ(Lowest(), Slot{100}) << "found closed only now";
  now_ = now_ + SnapshotPins::kPatience - 1ms;
  EXPECT_EQ(Lowest(), Slot{100});
  now_ = now_ + 1ms;
  EXPECT_EQ(Lowest(), std::nullopt);
}

// The member gave up waiting and asked again: what becomes of its first question is over.
TEST_F(SnapshotPinsTest, AFreezingThatWasGivenUpSaysNothingOfTheNext) {
  const auto first = pins_.Begin(a_, Slot{100});
  const auto files = std::make_shared<NoFiles>();
  pins_.Frozen(pins_.Begin(a_, Slot{90}), files);
  pins_.Frozen(first, std::make_shared<NoFiles>());
  EXPECT_EQ(Lowest(), Slot{90});
  now_ = now_ + 100s;
  EXPECT_EQ(Lowest(), Slot{90}) << "its files are open";
  pins_.End(first);
  EXPECT_EQ(Lowest(), Slot{90});
}

TEST_F(SnapshotPinsTest, ManyMembersPinTheLowestOfTheirSlots) {
  pins_.Begin(a_, Slot{100});
  const auto second = pins_.Begin(b_, Slot{200});
  EXPECT_EQ(Lowest(), Slot{100});
  pins_.Begin(a_, Slot{300});  // it begins again
  EXPECT_EQ(Lowest(), Slot{200});
  pins_.End(second);
  EXPECT_EQ(Lowest(), Slot{300});
}

}  // namespace
}  // namespace decree::node

// What clients were told, and what of it cannot be true.
#include "tests/sim/history.h"

#include <gtest/gtest.h>

namespace decree::sim {
namespace {

class HistoryTest : public testing::Test {
 protected:
  void Put(const std::string& key, const std::string& value, std::uint64_t version) {
    Operation put;
    put.kind = OperationKind::kPut;
    put.key = key;
    put.value = value;
    const std::uint64_t handle = history_.Called(put, "test");
    OperationResult result;
    result.command.version = version;
    result.command.created = version == 1;
    history_.Answered(handle, result);
  }
  void StaleRead(const std::string& key, const std::string& value, std::uint64_t version) {
    Operation get;
    get.key = key;
    get.consistency = Consistency::kStale;
    const std::uint64_t handle = history_.Called(get, "test");
    OperationResult result;
    result.read = {value, version, 0};
    history_.Answered(handle, result);
  }
  void Scan(const std::vector<std::string>& keys, std::vector<ScanRow> rows, bool complete = true) {
    Operation scan;
    scan.kind = OperationKind::kScan;
    const std::uint64_t handle = history_.Called(scan, "test", keys);
    OperationResult result;
    result.scan = {std::move(rows), complete};
    history_.Answered(handle, result);
  }
  std::size_t Failures() {
    history_.Check();
    return world_.failures().size();
  }

  World world_{1};
  History history_{world_};
};

TEST_F(HistoryTest, AStaleReadMayBeOldButNotInvented) {
  Put("a", "v1", 1);
  Put("a", "v2", 2);
  StaleRead("a", "v1", 1);
  EXPECT_EQ(Failures(), 0u);
  StaleRead("a", "v3", 3);
  EXPECT_EQ(Failures(), 1u);
}

TEST_F(HistoryTest, AStaleReadGivesTheValueItsVersionAndItsKey) {
  Put("a", "v1", 1);
  StaleRead("a", "v1", 2);
  StaleRead("b", "v1", 1);
  EXPECT_EQ(Failures(), 2u);
}

TEST_F(HistoryTest, APageIsAReadOfEveryKeyInIt) {
  Put("a", "v1", 1);
  Scan({"a", "b"}, {{"a", "v1", 1}});
  EXPECT_EQ(Failures(), 0u);
  Scan({"a", "b"}, {});
  EXPECT_EQ(Failures(), 1u) << "a is missing";
}

TEST_F(HistoryTest, APageThatGoesOnSaysWhatIsBelowItsLastRowOnly) {
  Put("a", "v1", 1);
  Put("b", "v2", 1);
  Scan({"a", "b"}, {{"a", "v1", 1}}, false);
  EXPECT_EQ(Failures(), 0u) << "b may follow";
  Scan({"a", "b"}, {}, false);
  EXPECT_EQ(Failures(), 0u);
  Scan({"a", "b"}, {{"b", "v2", 1}}, false);
  EXPECT_EQ(Failures(), 1u) << "a is missing";
}

TEST_F(HistoryTest, CountsEachOperationOnce) {
  Put("a", "v1", 1);
  Scan({"a", "b"}, {});
  Operation get;
  history_.Answered(history_.Counted(get, "test"), {});
  EXPECT_EQ(history_.counts().called, 3u);
  EXPECT_EQ(history_.counts().ok, 3u);
  EXPECT_EQ(history_.counts().unknown, 0u);
}

}  // namespace
}  // namespace decree::sim

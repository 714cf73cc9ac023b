#include "server/node/placement_link.h"

#include <gmock/gmock.h>

#include "node_world.h"

namespace decree::node {
namespace {

// Calls from a node that is not in the placement group to the one that leads it.
class PlacementLinkTest : public ::testing::Test {
 protected:
  PlacementLinkTest() : leader_(world_.Add("a:1")), other_(world_.Add("b:1")) {
    leader_.Start();
    EXPECT_TRUE(world_.RunUntilReady());
    other_.config.join = {"a:1"};
    other_.Start();
    EXPECT_TRUE(world_.RunUntilReady());
    EXPECT_EQ(world_.Admin(other_, "PATCH", "settings", R"({"rebalance":"off"})").status, 200u);
    leader_.asked.clear();
  }
  std::ptrdiff_t TimesAsked() const {
    return std::count(leader_.asked.begin(), leader_.asked.end(), Method::kAdmin);
  }
  static std::string Patch() {
    return Encode(AdminRequest{"PATCH", "/v1/admin/settings", R"({"replicas":1})"});
  }

  NodeWorld world_;
  WorldNode& leader_;
  WorldNode& other_;
};

TEST_F(PlacementLinkTest, AChangeWithoutAnAnswerIsNotSentAgain) {
  leader_.silent = true;
  EXPECT_EQ(world_.Admin(other_, "PATCH", "settings", R"({"replicas":1})").status, 504u);
  EXPECT_EQ(TimesAsked(), 1);
}

TEST_F(PlacementLinkTest, AChangeHasTheWholeTimeOfItsCaller) {
  leader_.delay = 1500ms;
  EXPECT_EQ(world_.Admin(other_, "PATCH", "settings", R"({"replicas":1})").status, 200u);
  EXPECT_EQ(TimesAsked(), 1);
}

TEST_F(PlacementLinkTest, NoCallOutlivesThePatienceOfItsCaller) {
  leader_.silent = true;
  const Instant begun = world_.clock().Now();
  const RpcResponse response =
      world_.Ask(other_, Method::kAdmin, kPlacementShard, Patch(), NodeId{}, 1000);
  EXPECT_EQ(response.code, Errc::kOutcomeUnknown);
  EXPECT_LE(world_.clock().Now() - begun, Duration(1100ms));
}

TEST_F(PlacementLinkTest, AQuestionIsAskedAgain) {
  leader_.silent = true;
  world_.clock().RunAt(world_.clock().Now() + 1s, [this] { leader_.silent = false; });
  EXPECT_EQ(world_.Admin(other_, "GET", "settings").status, 200u);
  EXPECT_GT(TimesAsked(), 1);
}

TEST_F(PlacementLinkTest, AChangeThatWasCertainlyNotSentIsTriedAgain) {
  world_.Unspell("a:1");
  world_.clock().RunAt(world_.clock().Now() + 1s, [this] { world_.Spell("a:1", leader_); });
  EXPECT_EQ(world_.Admin(other_, "PATCH", "settings", R"({"replicas":1})").status, 200u);
  EXPECT_EQ(TimesAsked(), 1);
}

}  // namespace
}  // namespace decree::node

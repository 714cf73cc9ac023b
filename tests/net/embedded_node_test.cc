// decree::Node and its clients inside one process, with one worker: whoever waits on it hangs.
#include <gtest/gtest.h>

#include <future>

#include "decree/node.h"
#include "tests/store/temp_dir.h"

namespace decree {
namespace {

class EmbeddedNodeTest : public ::testing::Test {
 protected:
  EmbeddedNodeTest() {
    NodeOptions options;
    options.dirs = {dir_.path()};
    options.shards = 2;
    options.workers = 1;
    auto node = Node::Open(std::move(options));
    EXPECT_TRUE(node) << node.error().ToString();
    node_ = std::move(*node);
  }

  store::TempDir dir_;
  std::unique_ptr<Node> node_;
};

TEST_F(EmbeddedNodeTest, BlockingCallsOfAnyClientInsideAHandlerAreRefused) {
  Client db = node_->client();
  Client other = node_->client();
  std::promise<std::vector<Errc>> inside;
  db.AsyncPut("k", "v", [&](Result<Version>) {
    inside.set_value({db.Get("k").error().code(), other.Get("k").error().code(),
                      other.ShardCount().error().code(), node_->StatusJson().error().code(),
                      node_->client().Put("k", "w").error().code()});
  });
  EXPECT_EQ(inside.get_future().get(), std::vector<Errc>(5, Errc::kInvalidArgument));
  EXPECT_EQ(db.Get("k")->value, "v");
}

TEST_F(EmbeddedNodeTest, AClientWithCallsUnderWayIsDestroyedInsideAnothersHandler) {
  Client db = node_->client();
  auto other = std::make_unique<Client>(node_->client());
  std::promise<void> destroyed, answered;
  db.AsyncPut("k", "v", [&](Result<Version>) {
    other->AsyncPut("k", "w", [&](Result<Version>) { answered.set_value(); });
    other.reset();
    destroyed.set_value();
  });
  destroyed.get_future().wait();
  answered.get_future().wait();
}

TEST_F(EmbeddedNodeTest, TheDestructorOfAClientDoesNotWaitForItsHandlers) {
  auto db = std::make_unique<Client>(node_->client());
  std::promise<void> entered, released, left;
  db->AsyncPut("k", "v", [&](Result<Version>) {
    entered.set_value();
    released.get_future().wait();
    left.set_value();
  });
  entered.get_future().wait();
  db.reset();
  released.set_value();
  left.get_future().wait();
}

TEST_F(EmbeddedNodeTest, AHandlerThatIsAnsweredByStopMayCallOnceMore) {
  Client db = node_->client();
  std::vector<Errc> codes;
  std::promise<void> entered, released;
  db.AsyncPut("k", "v", [&](Result<Version>) {
    entered.set_value();
    released.get_future().wait();
  });
  entered.get_future().wait();
  for (int i = 0; i < 8; ++i) {  // wait in the mailbox of the worker, which is busy
    db.AsyncGet("k", [&](Result<Value>) { codes.push_back(db.Get("k").error().code()); });
  }
  released.set_value();
  node_->Stop(std::chrono::milliseconds(0));
  EXPECT_EQ(codes.size(), 8u);
  EXPECT_EQ(db.Get("k").error(), Errc::kShuttingDown);
}

}  // namespace
}  // namespace decree

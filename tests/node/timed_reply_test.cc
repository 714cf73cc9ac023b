#include "server/node/timed_reply.h"

#include <gtest/gtest.h>

#include "tests/node/host_cluster.h"

namespace decree::node {
namespace {

class TimedReplyTest : public testing::Test {
 protected:
  RpcReply Make() {
    return TimedReply(executor_, 5s, [this](const RpcResponse& r) { answers_.push_back(r.code); });
  }
  VirtualExecutor executor_;
  std::vector<Errc> answers_;
};

TEST_F(TimedReplyTest, AnAnswerInTimeIsTheOnlyOne) {
  Make()({});
  executor_.RunFor(10s);
  EXPECT_EQ(answers_, std::vector<Errc>{Errc::kOk});
}

TEST_F(TimedReplyTest, WithoutAnAnswerTheOutcomeIsUnknown) {
  const RpcReply late = Make();
  executor_.RunFor(4s);
  EXPECT_TRUE(answers_.empty());
  executor_.RunFor(1s);
  EXPECT_EQ(answers_, std::vector<Errc>{Errc::kOutcomeUnknown});
  late({});
  EXPECT_EQ(answers_.size(), 1u);
}

}  // namespace
}  // namespace decree::node

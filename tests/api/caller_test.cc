#include "kv/api/caller.h"

#include <gtest/gtest.h>

#include <set>

#include "kv/api/limits.h"
#include "tests/api/caller_fixture.h"

namespace decree {
namespace {

TEST_F(CallerTest, FetchesTheMapOnceAndRefusesNothingMeanwhile) {
  const auto a = Start(PutOperation("a"));
  const auto b = Start(GetOperation("b"));
  courier_.on_call = [](const SeenCall& call) {
    return call.request.method == Method::kRead ? Refuses(Errc::kNotFound) : Executes({});
  };
  executor_.RunFor(100ms);
  EXPECT_EQ(courier_.map_calls.size(), 1u);
  EXPECT_EQ(courier_.map_calls[0].node, NodeId{}) << "any node";
  EXPECT_EQ((*a)->code, Errc::kOk);
  EXPECT_EQ((*b)->code, Errc::kNotFound);
}

TEST_F(CallerTest, LimitsAreCheckedBeforeAnythingIsSent) {
  EXPECT_EQ(Do(PutOperation("")).code, Errc::kInvalidArgument);
  EXPECT_EQ(Do(GetOperation(std::string(kMaxKeyBytes + 1, 'k'))).code, Errc::kTooLarge);
  EXPECT_EQ(Do(PutOperation("k", std::string(kMaxValueBytes + 1, 'v'))).code, Errc::kTooLarge);
  Operation cas = PutOperation("k");
  cas.condition = {ConditionKind::kValueIs, 0, std::string(kMaxValueBytes + 1, 'v')};
  EXPECT_EQ(Do(cas).code, Errc::kTooLarge);
  Operation eternal = PutOperation("k");
  eternal.ttl_ms = kMaxTtlMs + 1;
  EXPECT_EQ(Do(eternal).code, Errc::kInvalidArgument);
  EXPECT_TRUE(courier_.calls.empty());
  EXPECT_EQ(Do(PutOperation(std::string(kMaxKeyBytes, 'k'), std::string(kMaxValueBytes, 'v'))).code,
            Errc::kOk);
}

TEST_F(CallerTest, AScanIsAskedOnlyForWhatAKeyCanBeginWith) {
  Operation scan;
  scan.kind = OperationKind::kScan;
  scan.scan.prefix = std::string(std::size_t{17} << 20, 'p');
  EXPECT_EQ(Do(scan).code, Errc::kTooLarge);
  scan.scan.prefix.resize(kMaxKeyBytes + 1);
  EXPECT_EQ(Do(scan).code, Errc::kTooLarge);
  scan.scan.prefix.resize(kMaxKeyBytes);
  scan.scan.after = std::string(kMaxKeyBytes + 1, 'p');
  EXPECT_EQ(Do(scan).code, Errc::kTooLarge);
  EXPECT_TRUE(courier_.calls.empty());
  scan.scan.after.resize(kMaxKeyBytes);
  EXPECT_EQ(Do(scan).code, Errc::kOk);
}

TEST_F(CallerTest, ATimeoutWithoutEndIsATimeoutAllTheSame) {
  Operation patient = GetOperation("k");
  patient.timeout = Duration::max();
  EXPECT_EQ(Do(patient).code, Errc::kOk);
}

TEST_F(CallerTest, UnknownShardIsNotFound) {
  Operation scan;
  scan.kind = OperationKind::kScan;
  scan.shard = ShardId{5};
  EXPECT_EQ(Do(scan).code, Errc::kNotFound);
}

// ---- routing ----

TEST_F(CallerTest, FollowsTheLeaderHintAtOnceAndRemembersTheLeader) {
  courier_.on_call = courier_.on_open = [](const SeenCall& call) {
    return call.node == NodeId{3} ? Serves(call) : Refuses(Errc::kNotLeader, NodeId{3});
  };
  const OperationResult first = Do(PutOperation("k"));
  EXPECT_EQ(first.code, Errc::kOk);
  EXPECT_EQ(first.node, NodeId{3});
  courier_.calls.clear();
  EXPECT_EQ(Do(GetOperation("k")).node, NodeId{3});
  EXPECT_EQ(courier_.calls.size(), 1u) << "straight to the leader";
}

TEST_F(CallerTest, HintsThatGoRoundInCirclesAreFollowedOnlyAFewTimes) {
  courier_.on_call = [](const SeenCall& call) {
    return Refuses(Errc::kNotLeader, NodeId{call.node.value % 3 + 1});
  };
  EXPECT_EQ(Do(GetOperation("k")).code, Errc::kUnavailable);
  EXPECT_LT(courier_.calls.size(), 200u) << "five quick ones, then a pause that grows";
  EXPECT_GT(courier_.calls.size(), 20u);
}

TEST_F(CallerTest, WithoutAHintTheNextReplicaIsAskedAfterAPause) {
  courier_.on_call = [](const SeenCall&) { return Refuses(Errc::kNotLeader); };
  const OperationResult result = Do(GetOperation("k"));
  EXPECT_EQ(result.code, Errc::kUnavailable);
  EXPECT_NE(result.detail.find("has no leader: too few of its nodes"), std::string::npos)
      << result.detail;
  std::set<NodeId> asked;
  for (const SeenCall& call : courier_.calls) asked.insert(call.node);
  EXPECT_EQ(asked.size(), 3u);
  EXPECT_LT(courier_.calls.size(), 60u) << "the backoff grows to 200 ms";
  for (std::size_t i = 1; i < courier_.calls.size(); ++i) {
    const Duration pause = courier_.calls[i].at - courier_.calls[i - 1].at;
    EXPECT_LE(pause, 200ms + 1ms);
    EXPECT_NE(courier_.calls[i].node, courier_.calls[i - 1].node);
  }
}

TEST_F(CallerTest, UnreachableLeaderIsReplacedByTheNextReplicaWithoutAPause) {
  courier_.on_call = [](const SeenCall& call) {
    return call.node == NodeId{2} ? Serves(call) : Refuses(Errc::kUnavailable);
  };
  const auto read = Start(GetOperation("k"));
  executor_.RunFor(6ms);
  ASSERT_TRUE(read->has_value());
  EXPECT_LE(courier_.calls.size(), 3u);
}

TEST_F(CallerTest, BusyNodeIsAskedAgainAfterAPause) {
  int refusals = 3;
  courier_.on_call = [&](const SeenCall& call) {
    return refusals-- > 0 ? Refuses(Errc::kBusy) : Serves(call);
  };
  EXPECT_EQ(Do(PutOperation("k")).code, Errc::kOk);
  const auto puts = courier_.CallsOf(CommandKind::kPut);
  ASSERT_EQ(puts.size(), 4u);
  EXPECT_EQ(puts[0].node, puts[3].node);
}

TEST_F(CallerTest, BusyUntilTheDeadlineSaysBusy) {
  courier_.on_call = [](const SeenCall&) { return Refuses(Errc::kBusy); };
  EXPECT_EQ(Do(PutOperation("k")).code, Errc::kBusy);
}

TEST_F(CallerTest, Scenario48_StaleMapIsRefreshedThenTheNewHolderAsked) {
  caller_->OfferMap(map_);
  map_ = MapOf({4}, 2);
  courier_.on_call = [](const SeenCall& call) {
    return call.node == NodeId{4} ? Serves(call) : Refuses(Errc::kStaleMap);
  };
  const auto read = Start(GetOperation("k"));
  executor_.RunFor(10ms);
  ASSERT_TRUE(read->has_value());
  EXPECT_EQ((*read)->node, NodeId{4});
  EXPECT_EQ(caller_->map()->version, 2u);
}

TEST_F(CallerTest, StaleMapWithoutANewerOneIsRetriedWithPauses) {
  courier_.on_call = [](const SeenCall&) { return Refuses(Errc::kStaleMap); };
  EXPECT_EQ(Do(GetOperation("k")).code, Errc::kUnavailable);
  EXPECT_LT(courier_.calls.size(), 60u);
  EXPECT_LT(courier_.map_calls.size(), 60u);
}

TEST_F(CallerTest, NewerMapVersionInAnAnswerIsFetchedOnceInTheBackground) {
  caller_->OfferMap(map_);
  map_ = MapOf({1, 2, 3}, 8);
  courier_.on_call = [](const SeenCall& call) {
    RpcResponse response = Serves(call);
    response.map_version = 8;
    return response;
  };
  for (int i = 0; i < 20; ++i) Start(GetOperation("k" + std::to_string(i)));
  executor_.RunFor(50ms);
  EXPECT_EQ(courier_.map_calls.size(), 1u);
  EXPECT_EQ(caller_->map()->version, 8u);
}

TEST_F(CallerTest, OlderMapsAndMapsOfOtherClustersAreIgnored) {
  caller_->OfferMap(MapOf({1}, 5));
  caller_->OfferMap(MapOf({2}, 4));
  EXPECT_EQ(caller_->map()->version, 5u);
  auto foreign = MapOf({2}, 9);
  foreign->cluster = ClusterId{1};
  caller_->OfferMap(foreign);
  EXPECT_EQ(caller_->map()->version, 5u);
}

TEST_F(CallerTest, StaleReadsAreSpreadOverTheReplicas) {
  std::set<NodeId> asked;
  for (int i = 0; i < 40; ++i) {
    asked.insert(Do(GetOperation("k", Consistency::kStale)).node);
  }
  EXPECT_EQ(asked.size(), 3u);
}

TEST_F(CallerTest, RequestCarriesTheTimeThatIsLeft) {
  int calls = 0;
  courier_.on_call = [&](const SeenCall& call) -> std::optional<RpcResponse> {
    if (++calls == 1) return std::nullopt;
    return Serves(call);
  };
  Do(GetOperation("k"));
  ASSERT_EQ(courier_.calls.size(), 2u);
  EXPECT_EQ(courier_.calls[0].request.timeout_ms, 1999u);  // 1 ms went into the map
  EXPECT_EQ(courier_.calls[1].request.timeout_ms, 1399u);  // and 600 ms into the lost attempt
}

// ---- sessions ----

TEST_F(CallerTest, FirstWriteOpensASessionAndOthersWaitForIt) {
  std::vector<std::shared_ptr<std::optional<OperationResult>>> results;
  for (int i = 0; i < 5; ++i) results.push_back(Start(PutOperation("k" + std::to_string(i))));
  executor_.RunFor(100ms);
  EXPECT_EQ(courier_.CallsOf(CommandKind::kOpenSession).size(), 1u);
  const auto puts = courier_.CallsOf(CommandKind::kPut);
  ASSERT_EQ(puts.size(), 5u);
  const std::uint64_t client = courier_.calls[0].command().session.client;
  EXPECT_NE(client, 0u);
  for (std::size_t i = 0; i < puts.size(); ++i) {
    const SessionRef session = puts[i].command().session;
    EXPECT_EQ(session.client, client);
    EXPECT_EQ(session.sequence, i + 1);
    EXPECT_EQ(session.opened, 77u);
    EXPECT_EQ((*results[i])->code, Errc::kOk);
  }
}

TEST_F(CallerTest, AcknowledgesBelowTheOldestUnansweredSequence) {
  Do(PutOperation("a"));
  Do(PutOperation("b"));
  EXPECT_EQ(courier_.calls.back().command().session.acked_below, 2u);
  courier_.on_call = [](const SeenCall& call) -> std::optional<RpcResponse> {
    if (call.command().key == "slow") return std::nullopt;
    return Serves(call);
  };
  Start(PutOperation("slow"));  // sequence 3
  for (int i = 0; i < 3; ++i) Start(PutOperation("c"));
  executor_.RunFor(100ms);
  EXPECT_EQ(courier_.calls.back().command().session.sequence, 6u);
  EXPECT_EQ(courier_.calls.back().command().session.acked_below, 3u);
}

TEST_F(CallerTest, ExpiredSessionIsReplacedUnderANewIdAndTheWriteSentAgain) {
  Do(PutOperation("a"));
  const std::uint64_t first = courier_.calls[0].command().session.client;
  courier_.on_call = [first](const SeenCall& call) {
    CommandResult result;
    if (call.command().session.client == first) result.code = Errc::kSessionExpired;
    return Executes(result, call.node);
  };
  EXPECT_EQ(Do(PutOperation("b")).code, Errc::kOk);
  const SessionRef last = courier_.calls.back().command().session;
  EXPECT_NE(last.client, first);
  EXPECT_EQ(last.sequence, 1u);
  EXPECT_EQ(courier_.CallsOf(CommandKind::kOpenSession).size(), 2u);
}

TEST_F(CallerTest, ExpiredSessionAfterAnUnansweredAttemptIsUnknown) {
  int attempts = 0;
  courier_.on_call = [&](const SeenCall& call) -> std::optional<RpcResponse> {
    if (++attempts == 1) return std::nullopt;
    CommandResult expired;
    expired.code = Errc::kSessionExpired;
    return Executes(expired, call.node);
  };
  EXPECT_EQ(Do(PutOperation("k")).code, Errc::kOutcomeUnknown);
  EXPECT_EQ(attempts, 2) << "not sent under another session";
}

TEST_F(CallerTest, SessionsThatAreLostAtOnceAreReopenedWithPauses) {
  courier_.on_call = [](const SeenCall& call) {
    CommandResult expired;
    expired.code = Errc::kSessionExpired;
    return Executes(expired, call.node);
  };
  EXPECT_EQ(Do(PutOperation("k")).code, Errc::kUnavailable);
  EXPECT_LT(courier_.calls.size(), 120u);
}

TEST_F(CallerTest, RefusedSessionEndsTheWritesThatWaitForIt) {
  courier_.on_open = [](const SeenCall&) { return Refuses(Errc::kUnauthorized); };
  EXPECT_EQ(Do(PutOperation("k")).code, Errc::kUnauthorized);
  EXPECT_EQ(courier_.calls.size(), 1u);
}

TEST_F(CallerTest, SessionThatCannotBeOpenedMakesWritesUnavailable) {
  courier_.on_open = [](const SeenCall&) { return Refuses(Errc::kNotLeader); };
  const OperationResult result = Do(PutOperation("k"));
  EXPECT_EQ(result.code, Errc::kUnavailable);
  EXPECT_NE(result.detail.find("session"), std::string::npos);
  courier_.on_open = nullptr;
  EXPECT_EQ(Do(PutOperation("k")).code, Errc::kOk);
}

TEST_F(CallerTest, WindowBoundsHowFarSequencesRunAhead) {
  courier_.on_call = [](const SeenCall& call) -> std::optional<RpcResponse> {
    if (call.command().key == "first") return std::nullopt;
    return Serves(call);
  };
  Operation slow = PutOperation("first");
  slow.timeout = 2s;
  Start(slow);
  int done = 0;
  for (int i = 0; i < 3000; ++i) {
    Operation put = PutOperation("k");
    put.timeout = 10s;
    caller_->Start(put, [&done](OperationResult result) { done += result.code == Errc::kOk; });
  }
  executor_.RunFor(1s);
  EXPECT_EQ(done, 1024);
  executor_.RunFor(5s);
  EXPECT_EQ(done, 3000) << "the slow one was given up, the rest went on";
}

// ---- what an answer, or none, means ----

TEST_F(CallerTest, Scenario45_UnansweredAttemptIsRepeatedElsewhereUnderTheSameSequence) {
  int attempts = 0;
  courier_.on_call = [&](const SeenCall& call) -> std::optional<RpcResponse> {
    if (++attempts == 1) return std::nullopt;
    CommandResult result;
    result.version = 5;
    return Executes(result, call.node);
  };
  const OperationResult result = Do(PutOperation("k"));
  EXPECT_EQ(result.code, Errc::kOk);
  EXPECT_EQ(result.command.version, 5u);
  const auto puts = courier_.CallsOf(CommandKind::kPut);
  ASSERT_EQ(puts.size(), 2u);
  EXPECT_NE(puts[0].node, puts[1].node);
  EXPECT_EQ(puts[0].command().session.sequence, puts[1].command().session.sequence);
  EXPECT_EQ(puts[1].at - puts[0].at, Duration(600ms));
}

TEST_F(CallerTest, LateAnswerOfAnEarlierAttemptCounts) {
  courier_.on_call = nullptr;
  const auto put = Start(PutOperation("k"));
  executor_.RunFor(1s);
  ASSERT_GE(courier_.CallsOf(CommandKind::kPut).size(), 2u);
  CommandResult result;
  result.version = 12;
  courier_.CallsOf(CommandKind::kPut)[0].reply(Executes(result));
  ASSERT_TRUE(put->has_value());
  EXPECT_EQ((*put)->command.version, 12u);
  courier_.CallsOf(CommandKind::kPut)[1].reply(Executes(result));  // nobody is called twice
}

TEST_F(CallerTest, HintToANodeThatIsSilentIsNotFollowed) {
  caller_->OfferMap(map_);
  courier_.on_call = [](const SeenCall& call) -> std::optional<RpcResponse> {
    if (call.node == NodeId{1}) return std::nullopt;
    if (call.node == NodeId{2}) return Refuses(Errc::kNotLeader, NodeId{1});
    return Serves(call);
  };
  for (int i = 0; i < 6; ++i) {
    courier_.calls.clear();
    EXPECT_EQ(Do(GetOperation("k")).code, Errc::kOk);
    int to_the_silent = 0;
    for (const SeenCall& call : courier_.calls) to_the_silent += call.node == NodeId{1};
    EXPECT_LE(to_the_silent, 1);
  }
}

TEST_F(CallerTest, WriteWithoutAnAnswerIsUnknownAndAReadUnavailable) {
  courier_.on_call = nullptr;
  EXPECT_EQ(Do(PutOperation("k")).code, Errc::kOutcomeUnknown);
  EXPECT_EQ(Do(GetOperation("k")).code, Errc::kUnavailable);
}

TEST_F(CallerTest, WriteThatEveryoneCertainlyRefusedIsUnavailable) {
  courier_.on_call = [](const SeenCall&) { return Refuses(Errc::kUnavailable); };
  EXPECT_EQ(Do(PutOperation("k")).code, Errc::kUnavailable);
}

TEST_F(CallerTest, NodeThatStopsMayHaveExecutedTheWrite) {
  courier_.on_call = [](const SeenCall&) { return Refuses(Errc::kShuttingDown); };
  EXPECT_EQ(Do(PutOperation("k")).code, Errc::kOutcomeUnknown);
  EXPECT_EQ(Do(GetOperation("k")).code, Errc::kUnavailable);
}

TEST_F(CallerTest, OneUnknownAttemptTaintsTheCertainOnesAfterIt) {
  int attempts = 0;
  courier_.on_call = [&](const SeenCall&) {
    return Refuses(++attempts == 1 ? Errc::kOutcomeUnknown : Errc::kUnavailable);
  };
  EXPECT_EQ(Do(PutOperation("k")).code, Errc::kOutcomeUnknown);
  EXPECT_GT(attempts, 3);
}

TEST_F(CallerTest, FinalRefusalIsToldWithItsDetail) {
  courier_.on_call = [](const SeenCall&) {
    RpcResponse response = Refuses(Errc::kImpossible);
    response.detail = "because";
    return response;
  };
  const OperationResult result = Do(PutOperation("k"));
  EXPECT_EQ(result.code, Errc::kImpossible);
  EXPECT_EQ(result.detail, "because");
  EXPECT_EQ(courier_.CallsOf(CommandKind::kPut).size(), 1u);
}

TEST_F(CallerTest, ARefusalNamesTheNodeAndTheEpochItKnows) {
  const auto refuse = [this](Errc code) {
    courier_.on_call = [code](const SeenCall&) {
      RpcResponse response = Refuses(code);
      response.served_by = NodeId{2};
      response.epoch = Epoch{7};
      return response;
    };
  };
  for (const Errc code : {Errc::kNotFound, Errc::kNotLeader, Errc::kUnavailable}) {
    refuse(code);
    const OperationResult result = Do(GetOperation("k"));
    EXPECT_EQ(result.shard, ShardId{0}) << ErrcName(code);
    EXPECT_EQ(result.node, NodeId{2}) << ErrcName(code);
    EXPECT_EQ(result.epoch, Epoch{7}) << ErrcName(code);
  }
  courier_.on_open = courier_.on_call;
  EXPECT_EQ(Do(PutOperation("k")).epoch, Epoch{7}) << "the session could not be opened";
}

TEST_F(CallerTest, WhereNobodyAnsweredNothingIsClaimed) {
  courier_.on_call = nullptr;
  const OperationResult silent = Do(GetOperation("k"));
  EXPECT_EQ(silent.node, NodeId{});
  EXPECT_EQ(silent.epoch, Epoch{});
  EXPECT_EQ(silent.shard, ShardId{0});
  EXPECT_EQ(Do(GetOperation("")).shard, std::nullopt) << "no key, no shard";
}

TEST_F(CallerTest, ResultFromTheLogIsToldAsItIs) {
  courier_.on_call = [](const SeenCall& call) {
    CommandResult result;
    result.code = Errc::kPreconditionFailed;
    result.version = 3;
    return Executes(result, call.node);
  };
  const OperationResult result = Do(PutOperation("k"));
  EXPECT_EQ(result.code, Errc::kPreconditionFailed);
  EXPECT_EQ(result.command.version, 3u);
}

TEST_F(CallerTest, MalformedAnswerIsAnError) {
  courier_.on_call = [](const SeenCall&) {
    RpcResponse response;
    response.body = "\xff";
    return response;
  };
  EXPECT_EQ(Do(GetOperation("k")).code, Errc::kCorruption);
  EXPECT_EQ(Do(PutOperation("k")).code, Errc::kOutcomeUnknown);
}

TEST_F(CallerTest, WithoutAMapNothingIsSentAndThatIsSaid) {
  courier_.on_map = [](const SeenCall&) { return Refuses(Errc::kUnavailable); };
  const OperationResult result = Do(PutOperation("k"));
  EXPECT_EQ(result.code, Errc::kUnavailable);
  EXPECT_TRUE(courier_.calls.empty());
  EXPECT_LT(courier_.map_calls.size(), 60u);
}

TEST_F(CallerTest, NoTimeAtAllIsDeadlineExceeded) {
  courier_.on_open = nullptr;
  courier_.on_call = nullptr;
  caller_->OfferMap(map_);
  Operation put = PutOperation("k");
  put.timeout = 1ms;
  EXPECT_EQ(Do(put).code, Errc::kDeadlineExceeded);
}

// ---- the end ----

TEST_F(CallerTest, CancelTellsWhetherTheWriteWasSent) {
  courier_.on_call = nullptr;
  const auto waiting = Start(PutOperation("k"));
  caller_->Cancel(last_id_);
  EXPECT_EQ((*waiting)->code, Errc::kCancelled);
  const auto sent = Start(PutOperation("k"));
  executor_.RunFor(100ms);
  caller_->Cancel(last_id_);
  EXPECT_EQ((*sent)->code, Errc::kOutcomeUnknown);
  const auto read = Start(GetOperation("k"));
  executor_.RunFor(100ms);
  caller_->Cancel(last_id_);
  EXPECT_EQ((*read)->code, Errc::kCancelled);
  caller_->Cancel(last_id_);
}

TEST_F(CallerTest, DestructionAnswersEverythingOnceAndNothingLater) {
  courier_.on_call = nullptr;
  const auto sent = Start(PutOperation("k"));
  executor_.RunFor(100ms);
  const auto fresh = Start(GetOperation("k"));
  const auto refused = Start(PutOperation(""));
  std::optional<Errc> refreshed;
  caller_->RefreshMap(1s, [&](Errc code) { refreshed = code; });
  caller_.reset();
  EXPECT_EQ((*sent)->code, Errc::kOutcomeUnknown);
  EXPECT_EQ((*fresh)->code, Errc::kCancelled);
  EXPECT_TRUE(refused->has_value());
  EXPECT_EQ(refreshed, Errc::kCancelled);
  for (const SeenCall& call : courier_.calls) call.reply(Executes({}));
  executor_.RunFor(5s);
}

TEST_F(CallerTest, CallbackMayDestroyTheCaller) {
  caller_->Start(PutOperation("a"), [this](OperationResult) { caller_.reset(); });
  const auto other = Start(PutOperation("b"));
  executor_.RunFor(3s);
  EXPECT_EQ(caller_, nullptr);
  EXPECT_TRUE(other->has_value());
}

TEST_F(CallerTest, CallbackMayStartTheNextOperation) {
  int left = 100;
  std::function<void(OperationResult)> next = [&](OperationResult result) {
    EXPECT_EQ(result.code, Errc::kOk);
    if (--left > 0) caller_->Start(PutOperation("k"), next);
  };
  caller_->Start(PutOperation("k"), next);
  executor_.RunFor(3s);
  EXPECT_EQ(left, 0);
}

TEST_F(CallerTest, AnsweredOperationsLeaveNoTasksBehind) {
  for (int i = 0; i < 1000; ++i) Start(PutOperation("k"));
  executor_.RunFor(50ms);
  EXPECT_LE(executor_.pending(), 3u);
  executor_.RunFor(10s);
  EXPECT_EQ(executor_.pending(), 0u);
}

TEST_F(CallerTest, TooManyOperationsAreRefusedAtTheDoor) {
  courier_.on_map = nullptr;
  std::map<Errc, int> answers;
  for (int i = 0; i < 65'536 + 10; ++i) {
    caller_->Start(GetOperation("k"), [&](OperationResult result) { ++answers[result.code]; });
  }
  executor_.RunFor(3s);
  EXPECT_EQ(answers[Errc::kBusy], 10);
  EXPECT_EQ(answers[Errc::kUnavailable], 65'536);
}

}  // namespace
}  // namespace decree

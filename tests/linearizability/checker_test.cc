#include "tests/linearizability/checker.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kv/base/random.h"
#include "tests/linearizability/model.h"

namespace decree::linearizability {
namespace {

Operation At(Operation operation, std::uint64_t called, std::optional<std::uint64_t> answered) {
  operation.called = called;
  operation.answered = answered;
  operation.who = "t";
  return operation;
}

Operation Put(const std::string& value, std::uint64_t version, bool existed) {
  Operation put;
  put.kind = Kind::kPut;
  put.value = value;
  put.version = version;
  put.existed = existed;
  return put;
}

Operation Cas(const std::string& before, const std::string& after, std::uint64_t version) {
  Operation cas = Put(after, version, true);
  cas.condition = If::kValueIs;
  cas.if_value = before;
  return cas;
}

Operation IfVersion(std::uint64_t before, const std::string& after, std::uint64_t version) {
  Operation put = Put(after, version, true);
  put.condition = If::kVersionIs;
  put.if_version = before;
  return put;
}

Operation Failed(Operation operation, std::uint64_t version) {
  operation.condition_failed = true;
  operation.version = version;
  operation.existed.reset();
  return operation;
}

Operation Get(std::optional<std::string> value, std::uint64_t version = 0) {
  Operation get;
  get.kind = Kind::kGet;
  get.read = std::move(value);
  get.version = version;
  return get;
}

Operation Delete(bool existed) {
  Operation operation;
  operation.kind = Kind::kDelete;
  operation.existed = existed;
  return operation;
}

bool Fits(const std::vector<Operation>& history) {
  const Answer answer = CheckKey(history);
  EXPECT_NE(answer.verdict, Verdict::kUndecided);
  EXPECT_EQ(answer.verdict == Verdict::kViolation, !answer.detail.empty());
  return answer.verdict == Verdict::kLinearizable;
}

TEST(CheckerTest, AcceptsTheEmptyHistory) { EXPECT_TRUE(Fits({})); }

TEST(CheckerTest, AcceptsOneThingAfterAnother) {
  EXPECT_TRUE(Fits({At(Get(std::nullopt), 1, 2), At(Put("a", 1, false), 3, 4),
                    At(Get("a", 1), 5, 6), At(Delete(true), 7, 8), At(Get(std::nullopt), 9, 10)}));
}

TEST(CheckerTest, AcceptsEitherOrderOfOverlappingWrites) {
  EXPECT_TRUE(
      Fits({At(Put("a", 2, true), 1, 10), At(Put("b", 1, false), 2, 9), At(Get("a", 2), 11, 12)}));
  EXPECT_TRUE(
      Fits({At(Put("a", 1, false), 1, 10), At(Put("b", 2, true), 2, 9), At(Get("b", 2), 11, 12)}));
}

TEST(CheckerTest, RejectsAStaleRead) {
  EXPECT_FALSE(
      Fits({At(Put("a", 1, false), 1, 2), At(Put("b", 2, true), 3, 4), At(Get("a", 1), 5, 6)}));
}

TEST(CheckerTest, RejectsALostWrite) {
  EXPECT_FALSE(Fits({At(Put("a", 1, false), 1, 2), At(Get(std::nullopt), 3, 4)}));
}

TEST(CheckerTest, RejectsReadsThatGoBack) {
  EXPECT_FALSE(Fits({At(Put("a", 1, false), 1, 2), At(Put("b", 2, true), 3, 20),
                     At(Get("b", 2), 4, 5), At(Get("a", 1), 6, 7)}));
}

TEST(CheckerTest, RejectsAValueNobodyWrote) {
  EXPECT_FALSE(Fits({At(Put("a", 1, false), 1, 2), At(Get("ghost", 2), 3, 4)}));
}

TEST(CheckerTest, RejectsTwoWinnersOfOneCas) {
  EXPECT_FALSE(Fits(
      {At(Put("a", 1, false), 1, 2), At(Cas("a", "b", 2), 3, 10), At(Cas("a", "c", 3), 4, 11)}));
  EXPECT_FALSE(Fits({At(Put("a", 1, false), 1, 2), At(IfVersion(1, "b", 2), 3, 10),
                     At(IfVersion(1, "c", 3), 4, 11)}));
}

TEST(CheckerTest, AcceptsOneWinnerOfOneCas) {
  EXPECT_TRUE(Fits({At(Put("a", 1, false), 1, 2), At(Cas("a", "b", 2), 3, 10),
                    At(Failed(Cas("a", "c", 0), 2), 4, 11)}));
}

TEST(CheckerTest, RejectsADoubleAppliedCas) {
  // The cas took effect, was reported as failed by its own first try, and its value is there.
  EXPECT_FALSE(Fits({At(Put("a", 1, false), 1, 2), At(Failed(Cas("a", "b", 0), 2), 3, 4),
                     At(Get("b", 2), 5, 6)}));
}

TEST(CheckerTest, RejectsAWriteThatRanTwice) {
  // The second run gave the same value a second version.
  EXPECT_FALSE(
      Fits({At(Put("a", 1, false), 1, 2), At(Put("b", 2, true), 3, 4), At(Get("a", 3), 5, 6)}));
}

TEST(CheckerTest, RejectsAFailedConditionThatHeld) {
  EXPECT_FALSE(Fits({At(Put("a", 1, false), 1, 2), At(Failed(Cas("a", "b", 0), 1), 3, 4)}));
  Operation if_absent = Put("b", 0, false);
  if_absent.condition = If::kAbsent;
  EXPECT_FALSE(Fits({At(Failed(if_absent, 0), 1, 2)}));
}

TEST(CheckerTest, RejectsAWrongWordOnWhetherTheKeyExisted) {
  EXPECT_FALSE(Fits({At(Put("a", 1, true), 1, 2)}));
  EXPECT_FALSE(Fits({At(Put("a", 1, false), 1, 2), At(Delete(false), 3, 4)}));
}

TEST(CheckerTest, RejectsAVersionThatFalls) {
  EXPECT_FALSE(Fits({At(Put("a", 5, false), 1, 2), At(Put("b", 4, true), 3, 4)}));
}

TEST(CheckerTest, AnOpenWriteMayHappenNeverOrAnyTimeLater) {
  const Operation open = At(Put("b", 0, false), 3, std::nullopt);
  const Operation first = At(Put("a", 1, false), 1, 2);
  EXPECT_TRUE(Fits({first, open, At(Get("a", 1), 5, 6)}));
  EXPECT_TRUE(Fits({first, open, At(Get("a", 1), 5, 6), At(Get("b", 2), 7, 8)}));
  EXPECT_FALSE(Fits({first, open, At(Get("b", 2), 5, 6), At(Get("a", 1), 7, 8)}));
}

TEST(CheckerTest, AnOpenWriteHappensAtMostOnce) {
  EXPECT_FALSE(Fits({At(Put("a", 1, false), 1, 2), At(Put("b", 0, false), 3, std::nullopt),
                     At(Get("b", 2), 5, 6), At(Put("c", 3, true), 7, 8), At(Get("b", 2), 9, 10)}));
}

// Any of them may have happened anywhere in between, or not.
std::vector<Operation> AmongManyOpenWrites() {
  std::vector<Operation> history;
  std::uint64_t now = 0;
  for (int i = 0; i < 40; ++i, now += 5) {
    const std::string name = std::to_string(i);
    history.push_back(At(Put("open" + name, 0, false), now + 1, std::nullopt));
    history.push_back(At(Put("v" + name, now, i > 0), now + 2, now + 3));
    history.push_back(At(Get("v" + name, now), now + 4, now + 5));
  }
  return history;
}

TEST(CheckerTest, ManyOpenWritesDoNotMakeTheSearchLong) {
  std::vector<Operation> history = AmongManyOpenWrites();
  const std::uint64_t end = *history.back().answered;
  history.push_back(At(Get("open7", end), end + 1, end + 2));
  const Answer fits = CheckKey(history, 10'000);
  EXPECT_EQ(fits.verdict, Verdict::kLinearizable) << fits.detail;
  history.push_back(At(Get(std::nullopt), end + 3, end + 4));  // nobody deleted it
  const Answer lost = CheckKey(history, 10'000);
  EXPECT_EQ(lost.verdict, Verdict::kViolation) << lost.detail;
}

TEST(CheckerTest, ManyWritesAtOnceDoNotMakeTheSearchLong) {
  std::vector<Operation> history;
  for (std::uint64_t i = 0; i < 24; ++i) {
    const std::uint64_t version = 1 + i * 7 % 24;
    history.push_back(At(Put("v" + std::to_string(version), version, version > 1), i, 100 + i));
  }
  history.push_back(At(Get("v24", 24), 200, 201));
  const Answer fits = CheckKey(history, 10'000);
  EXPECT_EQ(fits.verdict, Verdict::kLinearizable) << fits.detail;
  history.back() = At(Get("v23", 23), 200, 201);
  const Answer stale = CheckKey(history, 10'000);
  EXPECT_EQ(stale.verdict, Verdict::kViolation) << stale.detail;
}

TEST(CheckerTest, AnOpenWriteDoesNotHappenBeforeItsCall) {
  EXPECT_FALSE(Fits({At(Get("b", 1), 1, 2), At(Put("b", 0, false), 3, std::nullopt)}));
}

// Histories made by a store that does one thing at a time fit; with one read replaced by an older
// value that was overwritten before the read began, they do not.
struct Made {
  std::vector<Operation> history;
  std::vector<std::size_t> stale_candidates;
};

Made MakeHistory(std::uint32_t seed) {
  Random random(seed);
  Made made;
  std::string value;
  std::uint64_t version = 0;
  std::uint64_t effect = 100;
  for (int i = 0; i < 60; ++i, effect += 10) {
    const std::uint64_t called = effect - random.Below(40);
    const std::optional<std::uint64_t> answered = effect + random.Below(40);
    switch (random.Below(4)) {
      case 0:
        made.history.push_back(
            At(value.empty() ? Get(std::nullopt) : Get(value, version), called, answered));
        if (version > 8) made.stale_candidates.push_back(made.history.size() - 1);
        break;
      case 1:
        made.history.push_back(At(Delete(!value.empty()), called, answered));
        value.clear();
        break;
      default: {
        const bool existed = !value.empty();
        value = "v" + std::to_string(++version);
        const bool open = random.Below(8) == 0;
        made.history.push_back(
            At(Put(value, open ? 0 : version, existed), called, open ? std::nullopt : answered));
      }
    }
  }
  return made;
}

TEST(CheckerTest, AcceptsWhatASequentialStoreDoesAndRejectsOneStaleRead) {
  int spoiled = 0;
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    Made made = MakeHistory(seed);
    ASSERT_TRUE(Fits(made.history)) << "seed " << seed;
    if (made.stale_candidates.empty()) continue;
    Operation& read = made.history[made.stale_candidates.back()];
    read.read = "v1";
    read.version = 1;
    // v1 was overwritten by a write that was answered long before this read was called.
    EXPECT_FALSE(Fits(made.history)) << "seed " << seed;
    ++spoiled;
  }
  EXPECT_GT(spoiled, 30);
}

// Operations of a few clients with answers drawn at random: most such histories fit no order, and
// those that do often fit only one.
std::vector<Operation> DrawHistory(Random& random) {
  std::vector<Operation> history;
  for (std::uint64_t i = 0; i < 6; ++i) {
    const std::uint64_t called = 10 * i + random.Below(25);
    std::optional<std::uint64_t> answered = called + 1 + random.Below(30);
    if (random.Chance(0.5)) answered.reset();
    const std::string value = "v" + std::to_string(1 + random.Below(6));
    const bool existed = random.Chance(0.5);
    Operation operation = Put("v" + std::to_string(i + 1), 100 + i, existed);
    if (random.Chance(0.4)) operation.condition = If::kAbsent;
    if (random.Chance(0.3)) operation = Cas(value, operation.value, operation.version);
    if (random.Chance(0.3)) operation = Delete(existed);
    if (answered && random.Chance(0.5)) {
      operation = random.Chance(0.2) ? Get(std::nullopt) : Get(value, 99 + value[1] - '0');
    }
    history.push_back(At(operation, called, answered));
  }
  std::sort(history.begin(), history.end(),
            [](const Operation& a, const Operation& b) { return a.called < b.called; });
  return history;
}

// The same question, answered by trying every order.
bool FitsSomeOrder(const std::vector<Operation>& history, const Model& model, const State& state,
                   unsigned done) {
  bool all_answered = true;
  std::uint64_t deadline = UINT64_MAX;
  for (std::size_t i = 0; i < history.size(); ++i) {
    if ((done >> i & 1) != 0 || !history[i].answered) continue;
    all_answered = false;
    deadline = std::min(deadline, *history[i].answered);
  }
  if (all_answered) return true;
  for (std::size_t i = 0; i < history.size(); ++i) {
    if ((done >> i & 1) != 0 || history[i].called > deadline) continue;
    const std::optional<State> after = model.Step(state, i);
    if (after && FitsSomeOrder(history, model, *after, done | 1u << i)) return true;
  }
  return false;
}

TEST(CheckerTest, AgreesWithTryingEveryOrder) {
  int fit = 0;
  Random random(4);
  for (int i = 0; i < 20'000; ++i) {
    const std::vector<Operation> history = DrawHistory(random);
    const Model model(history);
    const bool fits = model.contradiction().empty() && FitsSomeOrder(history, model, {}, 0);
    ASSERT_EQ(Fits(history), fits) << "history " << i;
    fit += fits;
  }
  EXPECT_GT(fit, 500);
}

}  // namespace
}  // namespace decree::linearizability

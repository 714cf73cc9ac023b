// The judge judged: for each kind of anomaly, histories in which it happens and their twins in
// which it does not. Each is a random course of a store that does one thing at a time, before and
// after the episode in question; the checker must reject the one and accept the other.
#include <gtest/gtest.h>

#include <functional>

#include "kv/base/random.h"
#include "tests/linearizability/checker.h"

namespace decree::linearizability {
namespace {

constexpr int kHistories = 40;  // of each kind, good and bad

// Does one thing at a time, and writes down what it was asked and said. Intervals of neighbours
// overlap, unless a pause is between them.
class Store {
 public:
  explicit Store(std::uint64_t seed) : random_(seed) {}

  Random& random() { return random_; }
  const std::optional<std::string>& value() const { return value_; }
  std::uint64_t version() const { return version_of_value_; }
  std::uint64_t last_version() const { return last_version_; }
  std::vector<Operation>& history() { return history_; }
  Operation& last() { return history_.back(); }

  void Pause() { now_ += 200; }

  std::string Fresh() { return "v" + std::to_string(++values_); }
  void Set(const std::string& value) {
    value_ = value;
    version_of_value_ = ++last_version_;
  }

  void Get() {
    Operation get;
    get.kind = Kind::kGet;
    get.read = value_;
    get.version = value_ ? version_of_value_ : 0;
    Add(get);
  }
  std::string Put() {
    Operation put;
    put.kind = Kind::kPut;
    put.value = Fresh();
    put.existed = value_.has_value();
    Set(put.value);
    put.version = version_of_value_;
    Add(put);
    return put.value;
  }
  void Delete() {
    Operation erase;
    erase.kind = Kind::kDelete;
    erase.existed = value_.has_value();
    if (value_) ++last_version_;
    value_.reset();
    Add(erase);
  }
  // Puts a fresh value if the condition holds.
  std::string PutIf(If condition, const std::string& if_value, std::uint64_t if_version) {
    Operation put;
    put.kind = Kind::kPut;
    put.condition = condition;
    put.if_value = if_value;
    put.if_version = if_version;
    put.value = Fresh();
    const bool holds = condition == If::kAbsent    ? !value_
                       : condition == If::kValueIs ? value_ == if_value
                                                   : value_ && version_of_value_ == if_version;
    put.condition_failed = !holds;
    if (holds) {
      put.existed = value_.has_value();
      Set(put.value);
    }
    put.version = value_ ? version_of_value_ : 0;
    Add(put);
    return put.value;
  }
  // A put that nobody answered; nothing has happened yet.
  std::string OpenPut(If condition = If::kAlways, const std::string& if_value = "") {
    Operation put;
    put.kind = Kind::kPut;
    put.value = Fresh();
    put.condition = condition;
    put.if_value = if_value;
    Add(put);
    history_.back().answered.reset();
    return put.value;
  }

  void Anything() {
    switch (random_.Below(8)) {
      case 0:
      case 1:
        return Get();
      case 2:
        return Delete();
      case 3:
        PutIf(If::kAbsent, "", 0);
        return;
      case 4:
        PutIf(If::kValueIs, "v" + std::to_string(random_.Between(1, values_ + 1)), 0);
        return;
      case 5:
        PutIf(If::kVersionIs, "", version_of_value_);
        return;
      default:
        Put();
    }
  }
  void Many() {
    for (std::uint64_t i = random_.Between(5, 25); i > 0; --i) Anything();
    Pause();
  }

 private:
  void Add(Operation operation) {
    now_ += 10;
    operation.called = now_ - random_.Below(40);
    operation.answered = now_ + random_.Below(40);
    operation.who = "client";
    history_.push_back(std::move(operation));
  }

  Random random_;
  std::uint64_t now_ = 1'000;
  std::uint64_t values_ = 0;
  std::uint64_t last_version_ = 0;
  std::optional<std::string> value_;
  std::uint64_t version_of_value_ = 0;
  std::vector<Operation> history_;
};

void SayRead(Operation& get, const std::string& value, std::uint64_t version) {
  get.read = value;
  get.version = version;
}

// ---- episodes: with `bad`, the anomaly happens ----

void StaleRead(Store& store, bool bad) {
  const std::string old = store.Put();
  const std::uint64_t version = store.version();
  store.Pause();
  store.Put();
  store.Pause();
  store.Get();
  if (bad) SayRead(store.last(), old, version);
}

void ReadsThatGoBack(Store& store, bool bad) {
  const std::string old = store.Put();
  const std::uint64_t version = store.version();
  store.Pause();
  store.Put();
  store.last().answered = *store.last().answered + 900;  // still under way when it is read
  store.Pause();
  store.Get();
  store.Pause();
  store.Get();
  if (bad) SayRead(store.last(), old, version);
}

void LostWrite(Store& store, bool bad) {
  store.Pause();
  const std::optional<std::string> before = store.value();
  const std::uint64_t version = store.version();
  store.Put();
  store.Pause();
  store.Get();
  if (!bad) return;
  store.last().read = before;
  store.last().version = before ? version : 0;
}

void DoubleApply(Store& store, bool bad) {
  const bool of_delete = store.random().Chance(0.5);
  const std::string once = store.Put();
  store.Pause();
  if (of_delete) {
    store.Delete();
    store.Pause();
  }
  store.Put();
  store.Pause();
  store.Get();
  if (!bad) return;
  if (of_delete) {
    store.last().read.reset();  // the delete ran again
    store.last().version = 0;
  } else {
    SayRead(store.last(), once, store.last_version() + 1);  // the put ran again
  }
}

void TwoWinnersOfOneCas(Store& store, bool bad) {
  const std::string base = store.Put();
  const std::uint64_t version = store.version();
  store.Pause();
  const bool by_value = store.random().Chance(0.5);
  const If condition = by_value ? If::kValueIs : If::kVersionIs;
  store.PutIf(condition, base, version);
  store.PutIf(condition, base, version);
  if (!bad) return;
  store.last().condition_failed = false;
  store.last().existed = true;
  store.last().version = store.last_version() + 1;
}

void CasThatShouldHaveWon(Store& store, bool bad) {
  const std::string base = store.Put();
  const std::uint64_t version = store.version();
  store.Pause();
  if (bad) {
    store.PutIf(If::kValueIs, "nobody wrote this", 0);
    store.last().if_value = base;
  } else {
    store.PutIf(If::kValueIs, base, version);
  }
}

void CasThatShouldHaveLost(Store& store, bool bad) {
  const std::string base = store.Put();
  store.Pause();
  store.Put();
  store.Pause();
  if (bad) {
    store.PutIf(If::kValueIs, *store.value(), 0);
    store.last().if_value = base;
  } else {
    store.PutIf(If::kValueIs, base, 0);
  }
}

void CasThatFailsItself(Store& store, bool bad) {
  const std::string base = store.Put();
  store.Pause();
  store.PutIf(If::kValueIs, base, 0);
  Operation& cas = store.last();
  const std::size_t at = store.history().size() - 1;
  const std::uint64_t version = cas.version;
  store.Pause();
  store.Get();
  if (!bad) return;
  // Its retry found its own first try, and said that the condition failed.
  store.history()[at].condition_failed = true;
  store.history()[at].existed.reset();
  store.history()[at].version = version;
}

void VersionReuse(Store& store, bool bad) {
  store.Put();
  const std::uint64_t version = store.version();
  store.Pause();
  if (store.random().Chance(0.5)) {
    store.Delete();
    store.Pause();
  }
  store.Put();
  if (bad) store.last().version = version;
}

void VersionThatFalls(Store& store, bool bad) {
  store.Put();
  store.Pause();
  store.Put();
  store.Delete();
  store.Pause();
  store.Put();
  // Deletes use versions up, too: nobody else has this one.
  Operation& put = store.last();
  if (!bad) return;
  const std::uint64_t taken = put.version - 1;
  put.version = taken;
  store.history()[store.history().size() - 3].version = taken + 1;
}

void DeleteAndRecreate(Store& store, bool bad) {
  const std::string first = store.Put();
  const std::uint64_t version = store.version();
  store.Pause();
  store.Delete();
  const std::size_t erase = store.history().size() - 1;
  store.Pause();
  store.Get();
  const std::size_t get = store.history().size() - 1;
  store.Pause();
  store.Put();
  if (!bad) return;
  switch (store.random().Below(3)) {
    case 0:
      store.history()[erase].existed = false;
      break;
    case 1:
      SayRead(store.history()[get], first, version);
      break;
    default:
      store.last().existed = true;
  }
}

void OpenWriteLate(Store& store, bool bad) {
  store.Put();
  store.Pause();
  const std::string open = store.OpenPut();
  store.Pause();
  store.Get();
  const Operation before = store.last();
  store.Pause();
  store.Set(open);
  store.Get();
  store.Pause();
  store.Get();
  // Once it was seen, it has happened: what was before it does not come back.
  if (bad) SayRead(store.last(), *before.read, before.version);
}

void OpenWriteBeforeItsCall(Store& store, bool bad) {
  store.Put();
  store.Pause();
  const std::size_t at = store.history().size();
  const std::string open = store.OpenPut();
  store.Pause();
  store.Set(open);
  store.Get();
  store.Pause();
  if (bad) store.history()[at].called = *store.last().answered + 50;
}

void OpenWriteNever(Store& store, bool bad) {
  store.Put();
  const std::string old = *store.value();
  const std::uint64_t version = store.version();
  store.Pause();
  const std::string open = store.OpenPut();
  store.Pause();
  if (!bad) return store.Get();
  // A condition on it held, so it has happened; then it had not.
  store.Set(open);
  store.PutIf(If::kValueIs, open, 0);
  store.Pause();
  store.Get();
  SayRead(store.last(), old, version);
}

void OpenWriteTwice(Store& store, bool bad) {
  store.Put();
  store.Pause();
  const std::string open = store.OpenPut();
  store.Pause();
  store.Set(open);
  store.Get();
  const Operation seen = store.last();
  store.Pause();
  store.Put();
  store.Pause();
  store.Get();
  if (bad) SayRead(store.last(), *seen.read, seen.version);
}

void OpenCasAgainstItsCondition(Store& store, bool bad) {
  const std::string base = store.Put();
  store.Pause();
  const std::string open = store.OpenPut(If::kValueIs, base);
  store.Pause();
  store.Get();
  store.Pause();
  if (!bad) {  // it happens while it may
    store.Set(open);
    store.Get();
    store.Pause();
  }
  store.Put();
  store.Pause();
  if (bad) store.Set(open);  // though its condition is long gone
  store.Get();
}

void ValueFromNowhere(Store& store, bool bad) {
  store.Put();
  store.Pause();
  store.Get();
  if (bad) SayRead(store.last(), "ghost", store.last_version() + 1);
}

struct Anomaly {
  const char* name;
  void (*episode)(Store& store, bool bad);
};

class AnomalyTest : public testing::TestWithParam<Anomaly> {};

Answer Judge(std::uint64_t seed, const Anomaly& anomaly, bool bad) {
  Store store(seed);
  store.Many();
  anomaly.episode(store, bad);
  store.Pause();
  // What follows must not hide it. A history that went wrong ends there.
  if (!bad) store.Many();
  return CheckKey(store.history());
}

TEST_P(AnomalyTest, IsRejectedAndItsTwinAccepted) {
  for (std::uint64_t seed = 1; seed <= kHistories; ++seed) {
    const Answer good = Judge(seed, GetParam(), false);
    EXPECT_EQ(good.verdict, Verdict::kLinearizable) << "seed " << seed << "\n" << good.detail;
    const Answer bad = Judge(seed, GetParam(), true);
    EXPECT_EQ(bad.verdict, Verdict::kViolation) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, AnomalyTest,
    testing::Values(
        Anomaly{"StaleRead", StaleRead}, Anomaly{"ReadsThatGoBack", ReadsThatGoBack},
        Anomaly{"LostWrite", LostWrite}, Anomaly{"DoubleApply", DoubleApply},
        Anomaly{"TwoWinnersOfOneCas", TwoWinnersOfOneCas},
        Anomaly{"CasThatShouldHaveWon", CasThatShouldHaveWon},
        Anomaly{"CasThatShouldHaveLost", CasThatShouldHaveLost},
        Anomaly{"CasThatFailsItself", CasThatFailsItself}, Anomaly{"VersionReuse", VersionReuse},
        Anomaly{"VersionThatFalls", VersionThatFalls},
        Anomaly{"DeleteAndRecreate", DeleteAndRecreate}, Anomaly{"OpenWriteLate", OpenWriteLate},
        Anomaly{"OpenWriteBeforeItsCall", OpenWriteBeforeItsCall},
        Anomaly{"OpenWriteNever", OpenWriteNever}, Anomaly{"OpenWriteTwice", OpenWriteTwice},
        Anomaly{"OpenCasAgainstItsCondition", OpenCasAgainstItsCondition},
        Anomaly{"ValueFromNowhere", ValueFromNowhere}),
    [](const auto& param) { return std::string(param.param.name); });

}  // namespace
}  // namespace decree::linearizability

#include "tests/linearizability/checker.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "tests/linearizability/model.h"

namespace decree::linearizability {
namespace {

using Bits = std::vector<std::uint64_t>;

// What has an answer and took effect, and what that led to.
struct Configuration {
  Bits done;
  State state;
  bool operator==(const Configuration&) const = default;
};

struct ConfigurationHash {
  std::size_t operator()(const Configuration& configuration) const {
    std::uint64_t hash = configuration.state.value * 0x9E3779B97F4A7C15ull;
    hash ^= configuration.state.last_version + (hash << 7);
    for (const std::uint64_t word : configuration.done) {
      hash = (hash ^ word) * 0xBF58476D1CE4E5B9ull;
      hash ^= hash >> 29;
    }
    return hash;
  }
};

bool Contains(const Bits& whole, const Bits& part) {
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if ((part[i] & ~whole[i]) != 0) return false;
  }
  return true;
}

// Depth first over the orders that respect real time. Operations are sorted by their call; a step
// may take any operation called before the earliest answer among those not taken yet.
//
// Open operations would make it long: each may come anywhere. So they are tried after the answered
// ones, and where an order of the same answered ones led to the same state and nowhere, one that
// used up the same open operations, or more of them, leads nowhere either. Nor does one that used
// up an open operation for nothing.
class Search {
 public:
  Search(const std::vector<Operation>& history, std::uint64_t step_limit)
      : history_(history), model_(history), step_limit_(step_limit) {
    for (const Operation& operation : history) answered_left_ += operation.answered.has_value();
    done_.resize((history.size() + 63) / 64);
    used_ = done_;
    std::map<std::uint64_t, std::size_t> writes;
    for (std::size_t i = 0; i < history.size(); ++i) {
      if (const std::uint64_t version = model_.VersionWritten(i)) writes[version] = i;
    }
    for (const auto& [version, i] : writes) writes_.push_back(i);
  }

  Answer Run() {
    if (!model_.contradiction().empty()) return {Verdict::kViolation, model_.contradiction(), 0};
    State state;
    std::size_t next = 0;
    while (answered_left_ > 0) {
      if (++steps_ > step_limit_) return {Verdict::kUndecided, "the search is too long", steps_};
      if (TakeFrom(next, &state)) {
        next = 0;
      } else if (!stack_.empty()) {
        next = GiveBack(&state) + 1;
      } else {
        return {Verdict::kViolation, Story(), steps_};
      }
    }
    return {Verdict::kLinearizable, "", steps_};
  }

 private:
  struct Frame {
    std::size_t operation;
    State before;
  };

  Bits& BitsOf(std::size_t i) { return history_[i].answered ? done_ : used_; }
  bool Done(std::size_t i) const {
    return ((history_[i].answered ? done_ : used_)[i / 64] >> (i % 64)) & 1;
  }
  void Flip(std::size_t i) { BitsOf(i)[i / 64] ^= std::uint64_t{1} << (i % 64); }

  // False: nothing new can come of it.
  bool IsNew(const State& state) {
    std::vector<Bits>& visits = seen_[{done_, state}];
    for (const Bits& used : visits) {
      if (Contains(used_, used)) return false;
    }
    visits.push_back(used_);
    return true;
  }

  std::uint64_t Deadline() const {
    std::uint64_t deadline = UINT64_MAX;
    for (std::size_t i = first_open_; i < history_.size(); ++i) {
      if (history_[i].called > deadline) break;
      if (!Done(i) && history_[i].answered) deadline = std::min(deadline, *history_[i].answered);
    }
    return deadline;
  }

  // The order in which a step tries: all the answered ones, then all the open ones.
  std::size_t Rank(std::size_t i) const { return history_[i].answered ? i : history_.size() + i; }

  bool TakeFrom(std::size_t from, State* state) {
    const std::uint64_t deadline = Deadline();
    for (const bool answered : {true, false}) {
      for (std::size_t i = first_open_; i < history_.size(); ++i) {
        if (history_[i].called > deadline) break;
        if (history_[i].answered.has_value() != answered || Rank(i) < from) continue;
        if (!Done(i) && Take(i, state)) return true;
      }
    }
    return false;
  }

  // A write whose version is known.
  bool IsVersioned(std::size_t i) const { return model_.VersionWritten(i) != 0; }

  bool Take(std::size_t i, State* state) {
    if (IsVersioned(i) && writes_[next_write_] != i) return false;
    const std::optional<State> after = model_.Step(*state, i);
    // An open operation without effect here is better left for later.
    if (!after || (!history_[i].answered && (*after == *state || HidesOpen(i, *after))))
      return false;
    Flip(i);
    if (!IsNew(*after)) {
      Flip(i);
      return false;
    }
    stack_.push_back({i, *state});
    next_write_ += IsVersioned(i);
    answered_left_ -= history_[i].answered.has_value();
    if (stack_.size() > best_.size()) RememberBest();
    *state = *after;
    AdvanceFirst();
    return true;
  }

  // The last step took an open operation that nothing saw and `i` leaves no trace of.
  bool HidesOpen(std::size_t i, const State& after) const {
    if (stack_.empty() || history_[stack_.back().operation].answered) return false;
    return model_.Step(stack_.back().before, i) == after;
  }

  // Returns the rank of what was taken back.
  std::size_t GiveBack(State* state) {
    const Frame frame = stack_.back();
    stack_.pop_back();
    Flip(frame.operation);
    next_write_ -= IsVersioned(frame.operation);
    answered_left_ += history_[frame.operation].answered.has_value();
    first_open_ = std::min(first_open_, frame.operation);
    *state = frame.before;
    return Rank(frame.operation);
  }

  void AdvanceFirst() {
    while (first_open_ < history_.size() && Done(first_open_)) ++first_open_;
  }

  void RememberBest() {
    best_.clear();
    for (const Frame& frame : stack_) best_.push_back(frame.operation);
  }

  std::string Story() const {
    constexpr std::size_t kShown = 12;
    std::string story = "the longest order that fits ends with:\n";
    const std::size_t skipped = best_.size() > kShown ? best_.size() - kShown : 0;
    for (std::size_t i = skipped; i < best_.size(); ++i) {
      story += "    " + Describe(history_[best_[i]]) + "\n";
    }
    story += "  and none of these can follow:\n";
    std::size_t shown = 0;
    for (std::size_t i = 0; i < history_.size() && shown < kShown; ++i) {
      if (std::find(best_.begin(), best_.end(), i) != best_.end()) continue;
      story += "    " + Describe(history_[i]) + "\n";
      ++shown;
    }
    return story;
  }

  const std::vector<Operation>& history_;
  Model model_;
  std::uint64_t step_limit_;
  std::uint64_t steps_ = 0;
  std::size_t answered_left_ = 0;
  std::size_t first_open_ = 0;
  std::vector<std::size_t> writes_;  // those whose version is known, in that order
  std::size_t next_write_ = 0;
  Bits done_;  // of the answered operations
  Bits used_;  // of the open ones
  std::vector<Frame> stack_;
  std::vector<std::size_t> best_;
  // For each configuration the open operations that were used up on the ways there.
  std::unordered_map<Configuration, std::vector<Bits>, ConfigurationHash> seen_;
};

std::string ConditionText(const Operation& operation) {
  switch (operation.condition) {
    case If::kAlways:
      return "";
    case If::kAbsent:
      return " if absent";
    case If::kVersionIs:
      return " if version " + std::to_string(operation.if_version);
    case If::kValueIs:
      return " if value " + operation.if_value;
  }
  return "";
}

std::string OutcomeText(const Operation& operation) {
  if (!operation.answered) return "no answer";
  const std::string version = " (version " + std::to_string(operation.version) + ")";
  if (operation.condition_failed) return "condition failed" + version;
  if (operation.kind == Kind::kGet) return operation.read ? *operation.read + version : "absent";
  const std::string before = operation.existed ? (*operation.existed ? ", existed" : ", new") : "";
  return "ok" + version + before;
}

}  // namespace

std::string Describe(const Operation& operation) {
  static constexpr const char* kNames[] = {"get", "put", "delete"};
  std::string text = operation.who + " [" + std::to_string(operation.called) + ", " +
                     (operation.answered ? std::to_string(*operation.answered) : "open") + "] " +
                     kNames[static_cast<std::size_t>(operation.kind)];
  if (operation.kind == Kind::kPut) text += " " + operation.value;
  return text + ConditionText(operation) + " -> " + OutcomeText(operation);
}

Answer CheckKey(const std::vector<Operation>& history, std::uint64_t step_limit) {
  std::multimap<std::uint64_t, const Operation*> by_call;  // equal ones stay in their order
  for (const Operation& operation : history) by_call.emplace(operation.called, &operation);
  std::vector<Operation> sorted;
  for (const auto& [called, operation] : by_call) sorted.push_back(*operation);
  return Search(sorted, step_limit).Run();
}

}  // namespace decree::linearizability

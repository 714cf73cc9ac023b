#include "tests/model/search.h"

#include <algorithm>
#include <optional>

#include "kv/base/random.h"

namespace decree::consensus::model {
namespace {

// The states met, in the order of meeting, by their fingerprints. Two states that share one would
// be taken for one: among 100 million that has a chance of 1 in 3,000.
class Met {
 public:
  // Whether the state is new; then `parent` led to it.
  bool Insert(std::uint64_t fingerprint, std::uint32_t parent) {
    if ((fingerprints_.size() + 1) * 4 > table_.size() * 3) Grow();
    std::uint32_t& place = Find(fingerprint);
    if (place != FlatMap::kNone) return false;
    place = static_cast<std::uint32_t>(fingerprints_.size());
    fingerprints_.push_back(fingerprint);
    parents_.push_back(parent);
    return true;
  }
  std::size_t size() const { return fingerprints_.size(); }
  // The fingerprints from the first state to state `at`.
  std::vector<std::uint64_t> PathTo(std::uint32_t at) const {
    std::vector<std::uint64_t> path;
    for (; at != FlatMap::kNone; at = parents_[at]) path.push_back(fingerprints_[at]);
    std::reverse(path.begin(), path.end());
    return path;
  }

 private:
  std::uint32_t& Find(std::uint64_t fingerprint) {
    const std::size_t mask = table_.size() - 1;
    std::size_t at = fingerprint >> 7 & mask;
    while (table_[at] != FlatMap::kNone && fingerprints_[table_[at]] != fingerprint) {
      at = (at + 1) & mask;
    }
    return table_[at];
  }
  void Grow() {
    table_.assign(table_.size() * 2, FlatMap::kNone);
    for (std::uint32_t i = 0; i < fingerprints_.size(); ++i) Find(fingerprints_[i]) = i;
  }

  std::vector<std::uint64_t> fingerprints_;
  std::vector<std::uint32_t> parents_;
  std::vector<std::uint32_t> table_ = std::vector<std::uint32_t>(1u << 16, FlatMap::kNone);
};

class BreadthFirst {
 public:
  BreadthFirst(Model& model, const SearchOptions& options) : model_(model), options_(options) {}

  SearchResult Run() {
    const State first = model_.Initial();
    met_.Insert(first.Fingerprint(), FlatMap::kNone);
    layer_ = {first};
    CheckState(first, 0);
    while (!layer_.empty() && result_.violation.empty() && met_.size() < options_.max_states) {
      Deepen();
    }
    result_.states = met_.size();
    result_.exhausted = layer_.empty() && result_.violation.empty();
    if (failed_from_) Explain();
    return std::move(result_);
  }

 private:
  // The layer's states are the last that were met, in order.
  void Deepen() {
    std::vector<State> next;
    auto parent = static_cast<std::uint32_t>(met_.size() - layer_.size());
    for (const State& state : layer_) {
      model_.Successors(state, [&](const Successor& s) { Visit(s, parent, next); });
      ++parent;
      if (failed_from_ || met_.size() >= options_.max_states) break;
    }
    if (!next.empty()) ++result_.depth;
    layer_ = std::move(next);
    if (options_.progress && !layer_.empty()) {
      options_.progress("depth " + std::to_string(result_.depth) + "  states " +
                        std::to_string(met_.size()) + "  open " + std::to_string(layer_.size()));
    }
  }

  void Visit(const Successor& s, std::uint32_t parent, std::vector<State>& next) {
    ++result_.steps;
    if (failed_from_) return;
    if (s.violation != nullptr) return Fail(*s.violation, parent, s);
    if (!met_.Insert(s.state.Fingerprint(), parent)) return;
    next.push_back(s.state);
    CheckState(s.state, static_cast<std::uint32_t>(met_.size() - 1));
  }

  void CheckState(const State& state, std::uint32_t at) {
    if (!options_.at_state) return;
    const std::string what = options_.at_state(state);
    if (what.empty()) return;
    result_.violation = what;
    failed_from_ = at;
  }

  void Fail(const std::string& what, std::uint32_t parent, const Successor& last) {
    result_.violation = what;
    failed_from_ = parent;
    last_ = last;
  }

  // Goes the path again, now with names.
  void Explain() {
    State state = model_.Initial();
    for (const std::uint64_t fingerprint : met_.PathTo(*failed_from_)) {
      if (state.Fingerprint() == fingerprint) continue;  // the first
      std::optional<Successor> step;
      model_.Successors(state, [&](const Successor& s) {
        if (!step && s.state.Fingerprint() == fingerprint) step = s;
      });
      result_.trace.push_back(model_.Describe(step->replica, step->event));
      state = step->state;
    }
    if (last_) {
      result_.trace.push_back(model_.Describe(last_->replica, last_->event));
      state = last_->state;
    }
    result_.depth = result_.trace.size();
    result_.end = model_.Describe(state);
  }

  Model& model_;
  const SearchOptions& options_;
  Met met_;
  std::vector<State> layer_;
  SearchResult result_;
  std::optional<std::uint32_t> failed_from_;
  std::optional<Successor> last_;
};

}  // namespace

SearchResult SearchAll(Model& model, const SearchOptions& options) {
  return BreadthFirst(model, options).Run();
}

SearchResult SearchAtRandom(Model& model, const WalkOptions& options) {
  SearchResult result;
  Random random(options.seed);
  std::vector<Successor> choices;
  while (result.steps < options.steps && result.violation.empty()) {
    State state = model.Initial();
    std::vector<std::string> trace;
    for (std::size_t i = 0; i < options.length && result.violation.empty(); ++i) {
      choices.clear();
      model.Successors(state, [&](const Successor& s) { choices.push_back(s); });
      if (choices.empty()) break;
      const Successor& taken = choices[random.Below(choices.size())];
      ++result.steps;
      trace.push_back(model.Describe(taken.replica, taken.event));
      state = taken.state;
      if (taken.violation == nullptr) continue;
      result.violation = *taken.violation;
      result.trace = trace;
      result.depth = trace.size();
      result.end = model.Describe(state);
    }
  }
  return result;
}

}  // namespace decree::consensus::model

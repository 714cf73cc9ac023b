#include "tests/linearizability/model.h"

namespace decree::linearizability {

Model::Model(const std::vector<Operation>& history) : history_(history) {
  BindAll();
  for (const Operation& operation : history) compiled_.push_back(Compile(operation));
}

std::uint32_t Model::Number(const std::string& value) {
  return numbers_.emplace(value, static_cast<std::uint32_t>(numbers_.size() + 1)).first->second;
}

void Model::Bind(const std::string& value, std::uint64_t version) {
  const std::uint32_t number = Number(value);
  const auto by_version = value_of_version_.emplace(version, number);
  const auto by_value = version_of_value_.emplace(number, version);
  if (by_version.first->second != number) {
    contradiction_ = "version " + std::to_string(version) + " names two values, one is " + value;
  } else if (by_value.first->second != version) {
    contradiction_ = "value " + value + " has versions " + std::to_string(version) + " and " +
                     std::to_string(by_value.first->second) + ": it was written twice";
  }
}

void Model::BindAll() {
  for (const Operation& operation : history_) {
    if (!operation.answered) continue;
    if (operation.kind == Kind::kGet && operation.read) Bind(*operation.read, operation.version);
    if (operation.kind == Kind::kPut && !operation.condition_failed) {
      Bind(operation.value, operation.version);
    }
  }
}

Model::Compiled Model::Compile(const Operation& operation) {
  Compiled compiled;
  if (operation.kind == Kind::kPut) compiled.value = Number(operation.value);
  if (operation.kind == Kind::kGet && operation.read) compiled.value = Number(*operation.read);
  if (operation.condition == If::kValueIs) compiled.if_value = Number(operation.if_value);
  if (operation.condition == If::kVersionIs) {
    const auto known = value_of_version_.find(operation.if_version);
    compiled.if_known = known != value_of_version_.end();
    if (compiled.if_known) compiled.if_value = known->second;
  }
  if (operation.condition_failed && operation.version != 0) {
    const auto known = value_of_version_.find(operation.version);
    compiled.seen_known = known != value_of_version_.end();
    if (compiled.seen_known) compiled.seen = known->second;
  }
  const auto version = version_of_value_.find(compiled.value);
  if (operation.kind == Kind::kPut && version != version_of_value_.end()) {
    compiled.version = version->second;
  }
  return compiled;
}

std::uint64_t Model::VersionWritten(std::size_t operation) const {
  return history_[operation].condition_failed ? 0 : compiled_[operation].version;
}

bool Model::Holds(const State& state, std::size_t operation) const {
  switch (history_[operation].condition) {
    case If::kAlways:
      return true;
    case If::kAbsent:
      return state.value == 0;
    case If::kVersionIs:
    case If::kValueIs:
      return compiled_[operation].if_known && state.value == compiled_[operation].if_value;
  }
  return false;
}

bool Model::FailedAsSaid(const State& state, std::size_t operation) const {
  if (Holds(state, operation)) return false;
  const Compiled& compiled = compiled_[operation];
  if (compiled.seen_known) return state.value == compiled.seen;
  return state.value != 0 && !version_of_value_.contains(state.value);
}

std::optional<State> Model::Write(const State& state, std::size_t operation) const {
  const Operation& write = history_[operation];
  if (write.answered && write.existed && *write.existed != (state.value != 0)) return std::nullopt;
  State next = state;
  next.value = compiled_[operation].value;
  if (const std::uint64_t version = compiled_[operation].version; version != 0) {
    if (version <= state.last_version) return std::nullopt;
    next.last_version = version;
  }
  return next;
}

std::optional<State> Model::Step(const State& state, std::size_t operation) const {
  const Operation& step = history_[operation];
  if (step.kind == Kind::kGet) {
    const bool right = !step.answered || state.value == compiled_[operation].value;
    return right ? std::optional<State>(state) : std::nullopt;
  }
  if (!step.answered) return Holds(state, operation) ? Write(state, operation) : state;
  if (step.condition_failed) {
    return FailedAsSaid(state, operation) ? std::optional<State>(state) : std::nullopt;
  }
  return Holds(state, operation) ? Write(state, operation) : std::nullopt;
}

}  // namespace decree::linearizability

// Was this history of one key possible in a store that does one thing at a time? Wing and Gong's
// search (1993) with Lowe's memory of visited configurations (2017).
//
// An operation takes effect at one moment between its call and its answer. One that was never
// answered may take effect at any later moment, or never. Values are unique in a history, so that a
// version names the write that made it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace decree::linearizability {

enum class Kind : std::uint8_t { kGet, kPut, kDelete };
enum class If : std::uint8_t { kAlways, kAbsent, kVersionIs, kValueIs };

struct Operation {
  Kind kind = Kind::kGet;
  std::string value;           // put: what is written, unique
  If condition = If::kAlways;  // put, delete
  std::uint64_t if_version = 0;
  std::string if_value;

  std::uint64_t called = 0;               // a moment in a total order of all calls and answers
  std::optional<std::uint64_t> answered;  // none: open for ever
  bool condition_failed = false;          // put, delete
  std::optional<std::string> read;        // get: what was there; none: absent
  std::uint64_t version = 0;  // of what was read or put; of what made a condition fail (0: absent)
  std::optional<bool> existed;  // put, delete: whether the key was there before
  std::string who;              // for reports
};

enum class Verdict : std::uint8_t { kLinearizable, kViolation, kUndecided };

struct Answer {
  Verdict verdict = Verdict::kLinearizable;
  std::string detail;  // kViolation: the longest order found and what could not follow it
  std::uint64_t steps = 0;
};

// All operations must be of the same key. `step_limit` bounds the search: beyond it kUndecided.
Answer CheckKey(const std::vector<Operation>& history, std::uint64_t step_limit = 20'000'000);

std::string Describe(const Operation& operation);

}  // namespace decree::linearizability

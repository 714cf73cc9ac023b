// The store of one key that does one thing at a time, and what a history says about its versions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/linearizability/checker.h"

namespace decree::linearizability {

// Values are numbered: 0 is "absent". A version is bound to the value of the write that made it.
struct State {
  std::uint32_t value = 0;
  std::uint64_t last_version = 0;  // highest known version so far: versions only grow
  bool operator==(const State&) const = default;
};

class Model {
 public:
  explicit Model(const std::vector<Operation>& history);

  // A contradiction that needs no search (a value with two versions); empty: none.
  const std::string& contradiction() const { return contradiction_; }
  // The state after `operation` (by index) took effect in `state`; none: it could not have answered
  // so.
  std::optional<State> Step(const State& state, std::size_t operation) const;
  // The version that `operation` certainly wrote; 0: it wrote nothing, or nobody saw what.
  std::uint64_t VersionWritten(std::size_t operation) const;

 private:
  struct Compiled {
    std::uint32_t value = 0;  // written or read
    std::uint32_t if_value = 0;
    bool if_known = true;       // false: the condition names what nobody ever wrote
    std::uint32_t seen = 0;     // failed condition: the value of the version it reported
    bool seen_known = true;     // false: a version nobody else saw
    std::uint64_t version = 0;  // known version of what a put writes; 0: never seen
  };

  std::uint32_t Number(const std::string& value);
  void Bind(const std::string& value, std::uint64_t version);
  void BindAll();
  Compiled Compile(const Operation& operation);
  bool Holds(const State& state, std::size_t operation) const;
  bool FailedAsSaid(const State& state, std::size_t operation) const;
  std::optional<State> Write(const State& state, std::size_t operation) const;

  const std::vector<Operation>& history_;
  std::map<std::string, std::uint32_t> numbers_;
  std::map<std::uint64_t, std::uint32_t> value_of_version_;
  std::map<std::uint32_t, std::uint64_t> version_of_value_;
  std::vector<Compiled> compiled_;
  std::string contradiction_;
};

}  // namespace decree::linearizability

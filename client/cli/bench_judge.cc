#include "client/cli/bench_judge.h"

#include <algorithm>

#include "kv/base/frame.h"

namespace decree::cli {
namespace {

constexpr std::size_t kComplaints = 10;
constexpr std::size_t kVersionsKept = 64;  // of a key; what is older is not read any more

}  // namespace

std::uint64_t VersionJudge::Begin(const std::string& key) {
  const std::lock_guard lock(mutex_);
  return keys_[key].known;
}

void VersionJudge::Wrote(const std::string& key, std::uint64_t floor, std::uint64_t version,
                         std::string_view value) {
  const std::lock_guard lock(mutex_);
  if (version <= floor) {
    Complain("a write of " + key + " got version " + std::to_string(version) + " when version " +
             std::to_string(floor) + " was known before it began");
  }
  See(keys_[key], key, version, value);
}

void VersionJudge::Read(const std::string& key, std::uint64_t floor, std::uint64_t version,
                        std::string_view value) {
  const std::lock_guard lock(mutex_);
  if (version < floor) {
    Complain("a read of " + key + " saw version " + std::to_string(version) + " when version " +
             std::to_string(floor) + " was known before it began");
  }
  See(keys_[key], key, version, value);
}

void VersionJudge::FoundNothing(const std::string& key, std::uint64_t floor) {
  const std::lock_guard lock(mutex_);
  ++judged_;
  if (floor != 0) {
    Complain("a read of " + key + " found nothing when version " + std::to_string(floor) +
             " was known before it began");
  }
}

void VersionJudge::See(Key& key, const std::string& name, std::uint64_t version,
                       std::string_view value) {
  ++judged_;
  key.known = std::max(key.known, version);
  const std::uint64_t hash = Hash64(value);
  const auto [seen, fresh] = key.values.emplace(version, hash);
  if (!fresh && seen->second != hash) {
    Complain("version " + std::to_string(version) + " of " + name + " has two values");
  }
  if (key.values.size() > kVersionsKept) key.values.erase(key.values.begin());
}

void VersionJudge::Complain(const std::string& what) {
  ++violations_;
  if (complaints_.size() < kComplaints) complaints_.push_back(what);
}

std::uint64_t VersionJudge::judged() const {
  const std::lock_guard lock(mutex_);
  return judged_;
}

std::uint64_t VersionJudge::violations() const {
  const std::lock_guard lock(mutex_);
  return violations_;
}

std::vector<std::string> VersionJudge::complaints() const {
  const std::lock_guard lock(mutex_);
  return complaints_;
}

}  // namespace decree::cli

// How much a test does where it could go on for ever: seeds, mutated inputs, random operations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace decree::test {

// `full`, or DECREE_TEST_PERCENT of it, at least one: for builds in which everything is slower
// (scripts/test.sh says what each stage takes).
inline std::uint64_t Scaled(std::uint64_t full) {
  const char* percent = std::getenv("DECREE_TEST_PERCENT");
  if (percent == nullptr) return full;
  return std::max<std::uint64_t>(1, full * std::strtoull(percent, nullptr, 10) / 100);
}

// For what is tried after each call of a long run: every one, or every so many of them.
inline int ScaledStep() { return static_cast<int>(100 / Scaled(100)); }

}  // namespace decree::test

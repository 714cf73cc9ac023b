// Distribution of durations in constant memory: 32 linear steps in each power of two, so that a
// percentile is at most 1/32 (3.2 %) above the true value. Counting costs a few instructions. Plain
// value, not thread-safe: each thread counts into its own, the reader merges.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kv/base/time.h"

namespace decree {

class Histogram {
 public:
  Histogram();

  void Record(std::int64_t ns);  // negative durations (a clock that went back) count as zero
  void Record(Duration duration) { Record(duration.count()); }
  void Merge(const Histogram& other);
  void Clear();

  std::uint64_t count() const { return count_; }
  std::int64_t min() const { return count_ == 0 ? 0 : min_; }
  std::int64_t max() const { return max_; }
  std::int64_t sum() const { return sum_; }
  double mean() const;
  // The smallest recorded step at or below which `percent` of the values lie; 0 if empty. 100 gives
  // the exact maximum.
  std::int64_t Percentile(double percent) const;
  // How many values are <= ns, at the precision of the steps: buckets of a metrics exposition.
  std::uint64_t CountUpTo(std::int64_t ns) const;

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::int64_t min_ = INT64_MAX;
  std::int64_t max_ = 0;
  std::int64_t sum_ = 0;
};

// "87 us", "1.24 ms", "3.50 s": three significant digits, for people.
std::string FormatDuration(std::int64_t ns);

}  // namespace decree

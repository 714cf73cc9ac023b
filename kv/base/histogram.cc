#include "kv/base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>

namespace decree {
namespace {

constexpr int kStepBits = 5;  // 32 steps a power of two
constexpr std::uint64_t kSteps = 1u << kStepBits;
// Values below 32 have a bucket each; above, 32 for each of the remaining powers of two of an
// int64.
constexpr std::size_t kBuckets = kSteps * (63 - kStepBits + 1);

std::size_t BucketOf(std::uint64_t value) {
  if (value < kSteps) return value;
  const int shift = std::bit_width(value) - 1 - kStepBits;
  return kSteps * static_cast<std::size_t>(shift) + (value >> shift);
}

// The largest value that falls into the bucket.
std::uint64_t TopOf(std::size_t bucket) {
  if (bucket < kSteps) return bucket;
  const std::size_t shift = bucket / kSteps - 1;
  return ((bucket - shift * kSteps + 1) << shift) - 1;
}

// 292 years in all: enough for what was measured, not for what a test may record.
std::int64_t SaturatingSum(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<std::int64_t>::max() : sum;
}

}  // namespace

Histogram::Histogram() : buckets_(kBuckets) {}

void Histogram::Record(std::int64_t ns) {
  const std::int64_t value = std::max<std::int64_t>(ns, 0);
  ++buckets_[BucketOf(static_cast<std::uint64_t>(value))];
  ++count_;
  sum_ = SaturatingSum(sum_, value);
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

void Histogram::Merge(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ = SaturatingSum(sum_, other.sum_);
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

void Histogram::Clear() { *this = Histogram(); }

double Histogram::mean() const {
  return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

std::int64_t Histogram::Percentile(double percent) const {
  if (count_ == 0) return 0;
  const double share = std::clamp(percent, 0.0, 100.0) / 100.0;
  const double exact = std::ceil(share * static_cast<double>(count_));
  const std::uint64_t rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(exact));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(static_cast<std::int64_t>(TopOf(i)), max_);
  }
  return max_;
}

std::uint64_t Histogram::CountUpTo(std::int64_t ns) const {
  if (ns < 0) return 0;
  const std::size_t last = BucketOf(static_cast<std::uint64_t>(ns));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i <= last; ++i) seen += buckets_[i];
  return seen;
}

std::string FormatDuration(std::int64_t ns) {
  struct Unit {
    double ns;
    const char* name;
  };
  static constexpr Unit kUnits[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
  const auto value = static_cast<double>(std::max<std::int64_t>(ns, 0));
  const Unit* unit = kUnits;
  while (unit->ns > 1 && value < unit->ns) ++unit;
  const double scaled = value / unit->ns;
  const int digits = unit->ns == 1 || scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2;
  char text[48];
  std::snprintf(text, sizeof text, "%.*f %s", digits, scaled, unit->name);
  return text;
}

}  // namespace decree

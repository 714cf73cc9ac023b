#include "server/node/move_pace.h"

#include <algorithm>

#include "kv/base/mark.h"

namespace decree::node {
namespace {

constexpr std::uint64_t kFewSamples = 10;  // of so few nothing can be said
constexpr double kLeast = 1.0 / 32;
constexpr double kStepUp = 1.0 / 8;
// Slower by less is noise.
constexpr double kSlower = 1.3;
constexpr double kNoiseNs = 500e3;
// A load that changed for good while rows move must not be taken for their doing for ever.
constexpr double kLearnIdle = 0.2;
constexpr double kLearnMoving = 0.02;

}  // namespace

bool MovePace::Suffers(const Window& window) const {
  const auto p99 = static_cast<double>(window.p99.count());
  return window.moved_bytes > 0 && window.samples >= kFewSamples && baseline_ns_ > 0 &&
         p99 > kSlower * baseline_ns_ + kNoiseNs;
}

void MovePace::Learn(const Window& window) {
  if (window.samples < kFewSamples) return;
  const auto p99 = static_cast<double>(window.p99.count());
  const double share = window.moved_bytes > 0 ? kLearnMoving : kLearnIdle;
  baseline_ns_ = baseline_ns_ > 0 ? (1 - share) * baseline_ns_ + share * p99 : p99;
}

double MovePace::Observe(const Window& window) {
  if (Suffers(window)) {
    SOMETIMES(move_pace_gives_way);
    share_ = std::max(kLeast, share_ / 2);
  } else {
    share_ = std::min(1.0, share_ + kStepUp);
  }
  Learn(window);
  return share_;
}

}  // namespace decree::node

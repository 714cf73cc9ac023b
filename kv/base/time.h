// Points in time as the core sees them. Real clocks are read only at the edges (server/net, client,
// the log writer); everything else is told the time.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace decree {

using Duration = std::chrono::nanoseconds;
using std::chrono::milliseconds;
using namespace std::chrono_literals;  // NOLINT: 50ms reads better than Duration{50'000'000}

// Monotonic and counting suspend (CLOCK_BOOTTIME). Comparable only within one process's life.
struct Instant {
  std::int64_t ns = 0;
  constexpr auto operator<=>(const Instant&) const = default;
  friend constexpr Instant operator+(Instant t, Duration d) { return Instant{t.ns + d.count()}; }
  friend constexpr Instant operator-(Instant t, Duration d) { return Instant{t.ns - d.count()}; }
  friend constexpr Duration operator-(Instant a, Instant b) { return Duration{a.ns - b.ns}; }
};
inline constexpr Instant kNever{INT64_MAX};

// Wall clock, milliseconds since 1970. Used for replicated time and for people; never for ordering.
using WallMs = std::uint64_t;

}  // namespace decree

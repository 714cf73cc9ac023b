// A failing run has dozens of faults; most have nothing to do with it. Leaves out as many as it can
// while the run still fails: Zeller and Hildebrandt's ddmin (2002).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>

namespace decree::sim {

using FaultNumbers = std::set<std::uint32_t>;

struct Shortened {
  FaultNumbers kept;
  std::size_t runs = 0;
  bool minimal = false;  // none of those kept can be left out alone; false: the runs were used up
};

// `all` is known to fail. `fails` is asked at most `max_runs` times.
Shortened Shorten(const FaultNumbers& all, const std::function<bool(const FaultNumbers&)>& fails,
                  std::size_t max_runs);

}  // namespace decree::sim

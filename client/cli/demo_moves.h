// The moves of a running cluster, live: every active move with its own bar on a terminal, a line
// for each that ends; and whether the replicas are spread evenly.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <set>
#include <string>
#include <vector>

#include "client/cli/output.h"

namespace decree::cli {

class MoveBoard {
 public:
  MoveBoard(std::ostream& out, bool terminal) : out_(out), terminal_(terminal) {}
  ~MoveBoard() { Erase(); }

  // Moves that have ended before are not of interest.
  void Ignore(const json::value& moves);
  // `head`: a line about the whole. Draws on a terminal; elsewhere prints moves as they end, and
  // the head every few seconds.
  void Update(const json::value& moves, const std::string& head);

  std::uint64_t done() const { return done_; }
  std::uint64_t rolled_back() const { return rolled_back_; }
  double bytes() const { return bytes_; }
  double longest_pause_ms() const { return longest_pause_ms_; }

 private:
  using Clock = std::chrono::steady_clock;

  void End(const json::value& move);
  void Erase();

  std::ostream& out_;
  const bool terminal_;
  std::size_t drawn_ = 0;  // lines on the screen that will be drawn over
  Clock::time_point next_head_;
  std::set<std::uint64_t> ended_;
  std::uint64_t done_ = 0;
  std::uint64_t rolled_back_ = 0;
  double bytes_ = 0;
  double longest_pause_ms_ = 0;
};

// Replicas of each node that takes part, and whether they are even: none further from the mean than
// 5 % or one, whichever is more.
struct Spread {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> replicas;  // node, replicas
  bool even = false;
  std::string ToString() const;  // "48 48 48 48"
};
Spread SpreadOf(const json::value& nodes);

}  // namespace decree::cli

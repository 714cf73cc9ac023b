#include "client/cli/demo_moves.h"

#include <algorithm>
#include <cmath>
#include <ostream>

#include "client/cli/move_view.h"

namespace decree::cli {
namespace {

constexpr auto kHeadEvery = std::chrono::seconds(3);
constexpr std::size_t kMostLines = 8;
constexpr std::size_t kBar = 16;

std::uint64_t IdOf(const json::value& move) {
  return static_cast<std::uint64_t>(Number(move, "id"));
}

std::string Bar(const json::value& move) {
  const double total = Number(move, "bytes_total");
  const double part = total > 0 ? std::min(1.0, Number(move, "bytes_done") / total) : 0;
  const auto full = static_cast<std::size_t>(part * kBar);
  return "[" + std::string(full, '#') + std::string(kBar - full, '.') + "]";
}

}  // namespace

void MoveBoard::Ignore(const json::value& moves) {
  for (const json::value& move : List(moves, "moves")) {
    if (MoveEnded(move)) ended_.insert(IdOf(move));
  }
}

void MoveBoard::End(const json::value& move) {
  ended_.insert(IdOf(move));
  const bool done = Field(move, "stage") == "done";
  ++(done ? done_ : rolled_back_);
  if (done) bytes_ += Number(move, "bytes_total");
  longest_pause_ms_ = std::max(longest_pause_ms_, Number(move, "switch_pause_ms"));
  out_ << "  " << MoveLine(move) << '\n';
}

void MoveBoard::Erase() {
  for (; drawn_ > 0; --drawn_) out_ << "\x1b[A\x1b[K";
}

void MoveBoard::Update(const json::value& moves, const std::string& head) {
  Erase();
  std::vector<std::string> active;
  for (const json::value& move : List(moves, "moves")) {
    if (ended_.contains(IdOf(move))) continue;
    if (MoveEnded(move)) {
      End(move);
    } else {
      active.push_back("  " + Bar(move) + " " + MoveLine(move));
    }
  }
  const auto now = Clock::now();
  if (!terminal_ && now < next_head_) return;
  next_head_ = now + kHeadEvery;
  out_ << head << '\n';
  if (terminal_) {
    for (std::size_t i = 0; i < std::min(active.size(), kMostLines); ++i) out_ << active[i] << '\n';
    drawn_ = 1 + std::min(active.size(), kMostLines);
  }
  out_ << std::flush;
}

Spread SpreadOf(const json::value& nodes) {
  Spread spread;
  double sum = 0;
  for (const json::value& node : List(nodes, "nodes")) {
    if (Field(node, "state") == "removed") continue;
    const double replicas = Number(node, "replicas");
    spread.replicas.emplace_back(static_cast<std::uint32_t>(Number(node, "id")),
                                 static_cast<std::uint32_t>(replicas));
    sum += replicas;
  }
  const double mean = sum / std::max(1.0, static_cast<double>(spread.replicas.size()));
  const double slack = std::max(mean * 0.05, 1.0);
  spread.even = std::all_of(spread.replicas.begin(), spread.replicas.end(), [&](const auto& one) {
    return std::abs(static_cast<double>(one.second) - mean) <= slack;
  });
  return spread;
}

std::string Spread::ToString() const {
  std::string text;
  for (const auto& [node, count] : replicas) {
    text += (text.empty() ? "" : " ") + std::to_string(count);
  }
  return text;
}

}  // namespace decree::cli

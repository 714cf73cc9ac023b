#include "server/node/move_gate.h"

#include <algorithm>

namespace decree::node {
namespace {

constexpr std::uint64_t kSmallestChunk = std::uint64_t{4} << 10;
constexpr std::uint64_t kLargestChunk = std::uint64_t{1} << 20;
constexpr std::uint64_t kSlowestReading = std::uint64_t{48} << 20;

Duration TimeFor(std::uint64_t bytes, std::uint64_t rate) {
  const double seconds = rate == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(rate);
  return Duration(static_cast<std::int64_t>(seconds * 1e9));
}

}  // namespace

void MoveGate::SetRates(std::uint64_t usual, std::uint64_t urgent) {
  usual_ = usual;
  urgent_ = usual == 0 ? 0 : std::max(usual, urgent);
}

void MoveGate::SetShare(std::uint64_t rate, double share) {
  if (rate == 0) return SetRates(0, 0);
  const auto of_rate = [rate](double part) {
    return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(static_cast<double>(rate) * part));
  };
  SetRates(of_rate(share), of_rate(std::max(share, 0.5)));
}

std::uint64_t MoveGate::Rate(Lane lane) const {
  if (lane == Lane::kUsual || urgent_ == 0) return usual_;
  return lane == Lane::kUrgent ? urgent_.load() : std::max<std::uint64_t>(urgent_, kFirstRate);
}

std::optional<Duration> MoveGate::Take(Instant now, std::uint64_t bytes, Lane lane,
                                       Duration patience) {
  const std::int64_t cost = TimeFor(bytes, Rate(lane)).count();
  std::atomic<std::int64_t>& next = lane == Lane::kVoter ? voters_free_at_ : moves_free_at_;
  std::int64_t free_at = next;
  std::int64_t turn = 0;
  do {
    turn = std::max(now.ns, free_at);
    if (turn - now.ns > patience.count()) return std::nullopt;
  } while (!next.compare_exchange_weak(free_at, turn + cost));
  taken_ += bytes;
  return Duration(turn - now.ns);
}

Duration MoveGate::PauseAfterReading(std::uint64_t bytes) {
  taken_ += bytes;
  const std::uint64_t rate = usual_;
  return TimeFor(bytes, rate == 0 ? 0 : std::max(rate, kSlowestReading));
}

std::uint32_t MoveGate::ChunkBytes(Lane lane) const {
  const std::uint64_t rate = Rate(lane);
  if (rate == 0) return static_cast<std::uint32_t>(kLargestChunk);
  return static_cast<std::uint32_t>(std::clamp(rate / 4, kSmallestChunk, kLargestChunk));
}

}  // namespace decree::node

#include "server/node/snapshot_pins.h"

#include <algorithm>

#include "kv/base/mark.h"

namespace decree::node {

std::uint64_t SnapshotPins::Begin(ReplicaId reader, Slot slot) {
  std::erase_if(pins_, [&](const Pin& pin) { return pin.reader == reader; });
  pins_.push_back({++begun_, reader, slot, true, {}, {}});
  return begun_;
}

void SnapshotPins::Frozen(std::uint64_t pin, const std::shared_ptr<store::SnapshotSource>& files) {
  for (Pin& one : pins_) {
    if (one.number != pin) continue;
    one.freezing = false;
    one.files = files;
  }
}

void SnapshotPins::End(std::uint64_t pin) {
  std::erase_if(pins_, [pin](const Pin& one) { return one.number == pin; });
}

bool SnapshotPins::Over(Pin& pin, Instant now, const Durable& durable) {
  const std::optional<Slot> reported = durable(pin.reader);
  if (reported && *reported >= pin.slot) return true;  // it streams from here on
  if (pin.freezing || !pin.files.expired()) return false;
  if (!pin.closed_at) pin.closed_at = now;
  if (now - *pin.closed_at < kPatience) return false;
  SOMETIMES(snapshot_pin_given_up);
  return true;
}

std::optional<Slot> SnapshotPins::Lowest(Instant now, const Durable& durable) {
  std::erase_if(pins_, [&](Pin& pin) { return Over(pin, now, durable); });
  std::optional<Slot> lowest;
  for (const Pin& pin : pins_) lowest = lowest ? std::min(*lowest, pin.slot) : pin.slot;
  return lowest;
}

}  // namespace decree::node

#include "server/node/snapshot_pins.h"

#include <algorithm>

#include "kv/base/mark.h"

namespace decree::node {

void SnapshotPins::Begin(ReplicaId reader, Slot slot) {
  End(reader);
  pins_.push_back({reader, slot, true, {}, {}});
}

void SnapshotPins::Frozen(ReplicaId reader, const std::shared_ptr<store::SnapshotSource>& files) {
  for (Pin& pin : pins_) {
    if (pin.reader != reader) continue;
    pin.freezing = false;
    pin.files = files;
  }
}

void SnapshotPins::End(ReplicaId reader) {
  std::erase_if(pins_, [&](const Pin& pin) { return pin.reader == reader; });
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

#include "kv/api/alarms.h"

namespace decree {

void Alarms::Set(std::uint64_t id, Instant when) {
  Clear(id);
  when_[id] = when;
  order_.emplace(when, id);
  Arm();
}

void Alarms::Clear(std::uint64_t id) {
  const auto at = when_.find(id);
  if (at == when_.end()) return;
  order_.erase({at->second, id});
  when_.erase(at);
}

void Alarms::Stop() {
  ring_ = nullptr;
  order_.clear();
  when_.clear();
}

void Alarms::Arm() {
  if (order_.empty() || order_.begin()->first >= armed_) return;
  armed_ = order_.begin()->first;
  executor_.RunAt(armed_, [weak = weak_from_this(), generation = ++generation_] {
    if (const auto self = weak.lock()) self->OnTimer(generation);
  });
}

void Alarms::OnTimer(std::uint64_t generation) {
  if (generation != generation_) return;  // an earlier alarm was set after this task
  armed_ = kNever;
  const Instant now = executor_.Now();
  while (ring_ && !order_.empty() && order_.begin()->first <= now) {
    const std::uint64_t id = order_.begin()->second;
    Clear(id);
    const auto ring = ring_;  // Stop may come from inside
    ring(id);
  }
  Arm();
}

}  // namespace decree

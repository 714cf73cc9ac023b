#include "kv/store/log_book.h"

#include <algorithm>

namespace decree::store {

void LogBook::AddSegment(std::uint64_t segment) { segments_[segment]; }

void LogBook::Add(ReplicaKey key, LogPlace place, const consensus::Persist& record) {
  Share& share = segments_[place.segment][key];
  for (const auto& vote : record.votes) share.highest = std::max(share.highest, vote.slot);
  for (const auto& chosen : record.chosen) share.highest = std::max(share.highest, chosen.slot);
  if (!record.votes.empty() || !record.chosen.empty()) share.bytes += place.bytes;

  const auto [it, fresh] = replicas_.try_emplace(key);
  ReplicaState& state = it->second;
  if (fresh) state.has_places = recovering_;
  if (record.promised && *record.promised >= state.promised) {
    state.promised = *record.promised;
    state.promised_at = place.segment;
  }
  if (record.watermark && record.watermark >= state.watermark) {
    state.watermark = record.watermark;
    state.watermark_at = place.segment;
  }
  if (state.has_places) state.places.push_back(place);
}

// Kept as durably as a promise: recovery must know what the rows have to hold (P9).
void LogBook::Trim(ReplicaKey key, Slot slot, std::uint64_t segment) {
  const auto [it, fresh] = replicas_.try_emplace(key);
  if (fresh) it->second.has_places = recovering_;
  if (slot < it->second.trimmed) return;
  it->second.trimmed = slot;
  it->second.trimmed_at = segment;
  segments_[segment][key];
}

void LogBook::Forget(ReplicaKey key) {
  replicas_.erase(key);
  for (auto& [segment, shares] : segments_) shares.erase(key);
}

void LogBook::Drop(std::uint64_t segment) {
  segments_.erase(segment);
  for (auto& [key, state] : replicas_) {
    std::erase_if(state.places, [&](const LogPlace& place) { return place.segment == segment; });
  }
}

bool LogBook::Live(ReplicaKey key, const Share& share) const {
  return share.highest > TrimmedTo(key);
}

std::uint64_t LogBook::LiveBytes(std::uint64_t segment) const {
  std::uint64_t bytes = 0;
  for (const auto& [key, share] : segments_.at(segment)) {
    if (Live(key, share)) bytes += share.bytes;
  }
  return bytes;
}

std::optional<ReplicaKey> LogBook::LargestShare(std::uint64_t segment) const {
  std::optional<ReplicaKey> largest;
  std::uint64_t most = 0;
  for (const auto& [key, share] : segments_.at(segment)) {
    if (!Live(key, share) || share.bytes <= most) continue;
    most = share.bytes;
    largest = key;
  }
  return largest;
}

bool LogBook::NeedsSlots(std::uint64_t segment, ReplicaKey key) const {
  const auto& shares = segments_.at(segment);
  const auto it = shares.find(key);
  return it != shares.end() && Live(key, it->second);
}

Slot LogBook::TrimmedTo(ReplicaKey key) const {
  const auto it = replicas_.find(key);
  return it == replicas_.end() ? Slot{} : it->second.trimmed;
}

std::vector<LogBook::State> LogBook::States(std::uint64_t segment) const {
  std::vector<State> states;
  for (const auto& [key, share] : segments_.at(segment)) {
    const auto it = replicas_.find(key);
    if (it == replicas_.end()) continue;
    const ReplicaState& state = it->second;
    const bool newest = state.promised_at == segment || state.watermark_at == segment ||
                        state.trimmed_at == segment;
    if (!newest) continue;
    consensus::Persist record;
    if (state.promised) record.promised = state.promised;
    record.watermark = state.watermark;
    states.push_back({key, std::move(record), state.trimmed});
  }
  return states;
}

std::vector<ReplicaKey> LogBook::Replicas() const {
  std::vector<ReplicaKey> keys;
  for (const auto& [key, state] : replicas_) keys.push_back(key);
  return keys;
}

const std::vector<LogPlace>* LogBook::PlacesOf(ReplicaKey key) const {
  const auto it = replicas_.find(key);
  return it == replicas_.end() || !it->second.has_places ? nullptr : &it->second.places;
}

void LogBook::ForgetPlaces(ReplicaKey key) {
  const auto it = replicas_.find(key);
  if (it == replicas_.end()) return;
  it->second.has_places = false;
  it->second.places = {};
}

std::vector<std::uint64_t> LogBook::SegmentsOf(ReplicaKey key) const {
  std::vector<std::uint64_t> segments;
  for (const auto& [segment, shares] : segments_) {
    if (shares.contains(key)) segments.push_back(segment);
  }
  return segments;
}

}  // namespace decree::store

// What of the log is still needed, counted by segment and replica: enough to know when a segment
// can be recycled and whose records must first be written again. It keeps no values. Guarded by its
// owner.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "consensus/output.h"
#include "kv/base/ids.h"

namespace decree::store {

// Where a record stands.
struct LogPlace {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

class LogBook {
 public:
  void AddSegment(std::uint64_t segment);
  // A record of the replica is durable at the place.
  void Add(ReplicaKey key, LogPlace place, const consensus::Persist& record);
  // A trim of the replica is durable in the segment.
  void Trim(ReplicaKey key, Slot slot, std::uint64_t segment);
  void Forget(ReplicaKey key);
  // The segment is recycled.
  void Drop(std::uint64_t segment);

  // Bytes of votes and chosen values that may still be needed (an upper bound).
  std::uint64_t LiveBytes(std::uint64_t segment) const;
  // The replica with most of them.
  std::optional<ReplicaKey> LargestShare(std::uint64_t segment) const;
  bool NeedsSlots(std::uint64_t segment, ReplicaKey key) const;
  Slot TrimmedTo(ReplicaKey key) const;
  // Promise, watermark and trim of the replicas for whom the newest copy of one stands in the
  // segment.
  struct State {
    ReplicaKey key;
    consensus::Persist record;  // promise and watermark
    Slot trimmed;
  };
  std::vector<State> States(std::uint64_t segment) const;
  std::vector<ReplicaKey> Replicas() const;

  // Until a replica's first append of this life, where its records stand; afterwards none.
  const std::vector<LogPlace>* PlacesOf(ReplicaKey key) const;
  void ForgetPlaces(ReplicaKey key);
  std::vector<std::uint64_t> SegmentsOf(ReplicaKey key) const;
  // From now on replicas unknown so far get no places: recovery is over.
  void EndRecovery() { recovering_ = false; }

 private:
  struct Share {
    Slot highest;             // of votes and chosen values; 0: only promise or watermark
    std::uint64_t bytes = 0;  // of records with votes or chosen values
  };
  struct ReplicaState {
    consensus::Ballot promised;
    std::uint64_t promised_at = 0;  // segment of its newest copy
    Slot watermark;
    std::uint64_t watermark_at = 0;
    Slot trimmed;
    std::uint64_t trimmed_at = 0;
    bool has_places = false;
    std::vector<LogPlace> places;
  };
  bool Live(ReplicaKey key, const Share& share) const;

  std::map<std::uint64_t, std::map<ReplicaKey, Share>> segments_;
  std::map<ReplicaKey, ReplicaState> replicas_;
  bool recovering_ = true;
};

}  // namespace decree::store

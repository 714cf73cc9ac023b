// What one replica holds of the log in memory: votes and chosen decrees above `trimmed`.
#pragma once

#include <cstddef>
#include <deque>

#include "consensus/decree.h"

namespace decree::consensus {

class SlotLog {
 public:
  // `vote.ballot` is zero where nothing was voted or the value was learned as chosen.
  struct Entry {
    Vote vote;
    bool filled = false;
    bool chosen = false;
    DECREE_FIELDS(vote, filled, chosen)
  };

  Slot trimmed() const { return trimmed_; }
  Slot last() const { return Slot{trimmed_.value + entries_.size()}; }
  std::size_t bytes() const { return bytes_; }
  std::size_t BytesAt(Slot slot) const;  // 0 where nothing is held
  std::size_t BytesAbove(Slot slot) const;

  // Null at or below trimmed, above last, and in holes.
  const Entry* Find(Slot slot) const;
  bool VotedIn(const Ballot& ballot, Slot slot) const;
  bool IsChosen(Slot slot) const;

  // P3. The slot is above trimmed and not chosen.
  void PutVote(const Ballot& ballot, Slot slot, const Decree& decree);
  // A value learned from others: it replaces whatever was voted.
  void PutChosen(Slot slot, const Decree& decree);
  // The vote at the slot is the chosen value.
  void MarkChosen(Slot slot);

  // Forgets slots <= slot; entries above survive.
  void Trim(Slot slot);

 private:
  Entry& Reach(Slot slot);
  void Fill(Entry& entry, Slot slot, const Ballot& ballot, const Decree& decree);

  Slot trimmed_;
  std::deque<Entry> entries_;  // entries_[i] is slot trimmed_ + 1 + i
  std::size_t bytes_ = 0;
};

// Rough size of a decree in memory and on the wire: what page limits and log_bytes count.
std::size_t SizeOf(const Decree& decree);

}  // namespace decree::consensus

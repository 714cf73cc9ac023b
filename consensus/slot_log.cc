#include "consensus/slot_log.h"

#include "kv/base/check.h"

namespace decree::consensus {

std::size_t SizeOf(const Decree& decree) {
  constexpr std::size_t kOverhead = 64;
  return kOverhead + View(decree.payload).size() +
         sizeof(Member) * (decree.next_voters.size() + decree.next_learners.size());
}

const SlotLog::Entry* SlotLog::Find(Slot slot) const {
  if (slot <= trimmed_ || slot > last()) return nullptr;
  const Entry& entry = entries_[slot.value - trimmed_.value - 1];
  return entry.filled ? &entry : nullptr;
}

std::size_t SlotLog::BytesAt(Slot slot) const {
  const Entry* entry = Find(slot);
  return entry == nullptr ? 0 : SizeOf(entry->vote.decree);
}

std::size_t SlotLog::BytesAbove(Slot slot) const {
  std::size_t bytes = 0;
  for (Slot each = last(); each > slot && each > trimmed_; each = each.Prev()) {
    bytes += BytesAt(each);
  }
  return bytes;
}

bool SlotLog::VotedIn(const Ballot& ballot, Slot slot) const {
  const Entry* entry = Find(slot);
  return entry != nullptr && entry->vote.ballot == ballot;
}

bool SlotLog::IsChosen(Slot slot) const {
  const Entry* entry = Find(slot);
  return entry != nullptr && entry->chosen;
}

void SlotLog::PutVote(const Ballot& ballot, Slot slot, const Decree& decree) {
  Entry& entry = Reach(slot);
  DECREE_CHECK(!entry.chosen);  // P6
  Fill(entry, slot, ballot, decree);
}

void SlotLog::PutChosen(Slot slot, const Decree& decree) {
  Entry& entry = Reach(slot);
  Fill(entry, slot, Ballot{}, decree);
  entry.chosen = true;
}

void SlotLog::MarkChosen(Slot slot) {
  Entry& entry = Reach(slot);
  DECREE_CHECK(entry.filled);
  entry.chosen = true;
}

void SlotLog::Trim(Slot slot) {
  while (trimmed_ < slot && !entries_.empty()) {
    if (entries_.front().filled) bytes_ -= SizeOf(entries_.front().vote.decree);
    entries_.pop_front();
    trimmed_ = trimmed_.Next();
  }
  if (trimmed_ < slot) trimmed_ = slot;
}

SlotLog::Entry& SlotLog::Reach(Slot slot) {
  DECREE_CHECK(slot > trimmed_);
  while (last() < slot) entries_.emplace_back();
  return entries_[slot.value - trimmed_.value - 1];
}

void SlotLog::Fill(Entry& entry, Slot slot, const Ballot& ballot, const Decree& decree) {
  if (entry.filled) bytes_ -= SizeOf(entry.vote.decree);
  bytes_ += SizeOf(decree);
  entry.filled = true;
  entry.vote.slot = slot;
  entry.vote.ballot = ballot;
  entry.vote.decree = decree;
}

}  // namespace decree::consensus

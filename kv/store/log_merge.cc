#include "kv/store/log_merge.h"

#include <algorithm>

#include "kv/base/bug.h"
#include "kv/base/mark.h"
namespace decree::store {

void LogMerge::Add(const consensus::Persist& record) {
  if (record.promised) promised_ = std::max(promised_, *record.promised);
  watermark_ = std::max(watermark_, record.watermark);
  for (const consensus::ChosenDecree& chosen : record.chosen) {
    chosen_.insert_or_assign(chosen.slot, chosen.decree);
    votes_.erase(chosen.slot);
  }
  for (const consensus::Vote& vote : record.votes) {
    if (chosen_.contains(vote.slot)) continue;
    const auto [it, fresh] = votes_.try_emplace(vote.slot, vote);
    if (DECREE_BUG_REPLAY_LOWEST_VOTE && it->second.ballot < vote.ballot) continue;
    if (!fresh && it->second.ballot < vote.ballot) {
      SOMETIMES(log_vote_superseded);
      it->second = vote;
    }
  }
}

void LogMerge::Trim(Slot slot) {
  if (DECREE_BUG_TRIM_ONE_TOO_MANY) slot = slot.Next();
  trimmed_ = std::max(trimmed_, slot);
  votes_.erase(votes_.begin(), votes_.upper_bound(slot));
  chosen_.erase(chosen_.begin(), chosen_.upper_bound(slot));
}

consensus::Recovered LogMerge::ToRecovered() const {
  consensus::Recovered recovered;
  recovered.promised = promised_;
  recovered.watermark = watermark_;
  recovered.trimmed = trimmed_;
  for (const auto& [slot, vote] : votes_) recovered.votes.push_back(vote);
  for (const auto& [slot, decree] : chosen_) recovered.chosen.push_back({slot, decree});
  return recovered;
}

}  // namespace decree::store

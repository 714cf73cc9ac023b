// What the records of one replica amount to, whatever order they come in: the highest promise, the
// vote of the highest ballot of a slot, a chosen value before any vote, the highest watermark. Both
// logs recover through it, so that both mean the same by a record.
#pragma once

#include <cstdint>
#include <map>

#include "consensus/output.h"
#include "kv/base/ids.h"

namespace decree::store {

class LogMerge {
 public:
  void Add(const consensus::Persist& record);
  // Drops votes and chosen values at or below the slot; the promise and the watermark stay, and the
  // highest such slot is remembered.
  void Trim(Slot slot);
  // `config` and `applied` are left empty: they are facts of the rows.
  consensus::Recovered ToRecovered() const;

 private:
  consensus::Ballot promised_;
  Slot watermark_;
  Slot trimmed_;
  std::map<Slot, consensus::Vote> votes_;
  std::map<Slot, consensus::Decree> chosen_;
};

}  // namespace decree::store

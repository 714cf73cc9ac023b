// The digest of all rows of a view: XXH3-128 in hex over (key, value) in order. Equal logs, equal
// digests. Read piece by piece, so that whoever compares large shards can pause in between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "decree/result.h"
#include "kv/store/engine.h"

namespace decree::store {

// One thread at a time; waits for the disk.
class RowDigest {
 public:
  explicit RowDigest(std::shared_ptr<const RowView> view);
  RowDigest(const RowDigest&) = delete;
  RowDigest& operator=(const RowDigest&) = delete;
  ~RowDigest();
  // Reads on until `bytes` more were read. False: those were the last rows, and the view is gone.
  Result<bool> More(std::uint64_t bytes);
  std::string Hex() const;

 private:
  struct State;
  std::shared_ptr<const RowView> view_;
  std::unique_ptr<RowCursor> cursor_;  // goes before the view
  const std::unique_ptr<State> state_;
};

// In one go.
Result<std::string> DigestRows(const RowView& view);

}  // namespace decree::store

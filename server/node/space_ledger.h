// The room on one disk that is set aside for rows on their way to it: what a move is promised, no
// other is promised too. The disk itself says what is free. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "kv/store/disk.h"

namespace decree::node {

class SpaceLedger {
 public:
  // False: of `free` bytes fewer are promised to nobody.
  bool Take(std::uint64_t bytes, std::uint64_t free);
  void Give(std::uint64_t bytes) { promised_ -= bytes; }
  std::uint64_t promised() const { return promised_; }

 private:
  std::atomic<std::uint64_t> promised_{0};
};

// What one replica was promised, given back at the end. One thread at a time.
class SpacePromise {
 public:
  explicit SpacePromise(std::shared_ptr<SpaceLedger> ledger) : ledger_(std::move(ledger)) {}
  SpacePromise(const SpacePromise&) = delete;
  SpacePromise& operator=(const SpacePromise&) = delete;
  ~SpacePromise() { Release(); }
  // So many bytes, instead of what it was before. kNoSpace, with the figures, if there are not so
  // many: then it is nothing any more.
  Status Set(std::uint64_t bytes, const store::Disk& disk);
  // So many of them are not free any more.
  void Written(std::uint64_t bytes);
  void Release() { Written(bytes_); }

 private:
  const std::shared_ptr<SpaceLedger> ledger_;
  std::uint64_t bytes_ = 0;
};

}  // namespace decree::node

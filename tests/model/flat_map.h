// A map of 64-bit keys to 32-bit numbers that grows by doubling: the model's memory of what it has
// computed. Key 0 is not used.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace decree::consensus::model {

inline std::uint64_t Mix(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9ull;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

class FlatMap {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFFu;

  FlatMap() : slots_(1024) {}

  // The number stored under the key, kNone at first; the reference holds until the next call.
  std::uint32_t& At(std::uint64_t key) {
    if ((size_ + 1) * 4 > slots_.size() * 3) Grow();
    Entry& entry = Find(slots_, key);
    if (entry.key == 0) {
      entry.key = key;
      ++size_;
    }
    return entry.value;
  }
  std::size_t size() const { return size_; }

 private:
  struct Entry {
    std::uint64_t key = 0;
    std::uint32_t value = kNone;
  };

  static Entry& Find(std::vector<Entry>& slots, std::uint64_t key) {
    const std::size_t mask = slots.size() - 1;
    std::size_t at = Mix(key) & mask;
    while (slots[at].key != 0 && slots[at].key != key) at = (at + 1) & mask;
    return slots[at];
  }
  void Grow() {
    std::vector<Entry> larger(slots_.size() * 2);
    for (const Entry& entry : slots_) {
      if (entry.key != 0) Find(larger, entry.key) = entry;
    }
    slots_ = std::move(larger);
  }

  std::vector<Entry> slots_;
  std::size_t size_ = 0;
};

}  // namespace decree::consensus::model

// A fuzz target: a function that takes whatever bytes arrive and checks what must hold of them, and
// well-formed inputs to start from. A program holds one target under libFuzzer
// (fuzzer_entry.cc), and all of them as fuzz_test.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kv/base/check.h"
#include "kv/base/codec.h"

namespace decree::fuzz {

struct Target {
  const char* name;  // of its program, without "_fuzz", and of its folder in corpus/
  // Throws (DECREE_CHECK) if a property does not hold.
  void (*run)(std::string_view input);
  // Made by the real encoders, so that they never grow old. Each must get through the front door.
  std::vector<std::string> (*seeds)();
  // Throws if a seed does not: where a refusal at the door is an answer like any other.
  void (*check_seed)(std::string_view seed) = nullptr;
};

// Those linked into this program. A target registers itself: `const Registration kIt{{...}};`
std::vector<Target>& Targets();

struct Registration {
  explicit Registration(const Target& target) { Targets().push_back(target); }
};

// Takes an input apart into numbers and pieces: where a target needs more than one thing.
class Pieces {
 public:
  explicit Pieces(std::string_view input) : left_(input) {}
  bool empty() const { return left_.empty(); }
  std::uint8_t Byte() {
    if (left_.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(left_.front());
    left_.remove_prefix(1);
    return byte;
  }
  std::uint64_t Number(int bytes) {
    std::uint64_t number = 0;
    for (int i = 0; i < bytes; ++i) number |= std::uint64_t{Byte()} << (8 * i);
    return number;
  }
  // Up to a length that stands before it in two bytes.
  std::string_view Piece() { return Take(Number(2)); }
  std::string_view Rest() { return Take(left_.size()); }

 private:
  std::string_view Take(std::size_t size) {
    const std::string_view piece = left_.substr(0, size);
    left_.remove_prefix(piece.size());
    return piece;
  }
  std::string_view left_;
};

// What Pieces takes apart again.
inline std::string Number(std::uint64_t number, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(number >> (8 * i)));
  return text;
}
inline std::string Piece(std::string_view bytes) { return Number(bytes.size(), 2).append(bytes); }

// What is accepted is said the same way again. Returns it, for more to be asked of it.
template <class T>
std::optional<T> DecodesOrRefuses(std::string_view bytes) {
  const Result<T> first = Decode<T>(bytes);
  if (!first) return std::nullopt;
  const std::string said = Encode(*first);
  DECREE_CHECK(said.size() <= bytes.size());  // a length or number may have been written longer
  const Result<T> second = Decode<T>(said);
  DECREE_CHECK(second.has_value());
  DECREE_CHECK(Encode(*second) == said);
  return *first;
}

}  // namespace decree::fuzz

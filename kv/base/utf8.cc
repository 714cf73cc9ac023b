#include "kv/base/utf8.h"

#include <cstdint>

namespace decree {
namespace {

// Length of the sequence that starts with this byte, 0 if none does, and its least code point.
std::size_t SequenceLength(unsigned char first, std::uint32_t* least) {
  if (first < 0x80) return *least = 0, 1;
  if (first >= 0xC2 && first < 0xE0) return *least = 0x80, 2;
  if (first >= 0xE0 && first < 0xF0) return *least = 0x800, 3;
  if (first >= 0xF0 && first < 0xF5) return *least = 0x10000, 4;
  return 0;
}

// Bytes of the character that `bytes`, not empty, starts with; 0: it starts with none.
std::size_t CharacterAt(std::string_view bytes) {
  std::uint32_t least = 0;
  const auto first = static_cast<unsigned char>(bytes[0]);
  const std::size_t length = SequenceLength(first, &least);
  if (length == 0 || length > bytes.size()) return 0;
  std::uint32_t point = length == 1 ? first : first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(bytes[i]);
    if ((next & 0xC0) != 0x80) return 0;
    point = (point << 6) | (next & 0x3Fu);
  }
  const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
  return point < least || point > 0x10FFFF || surrogate ? 0 : length;
}

}  // namespace

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = CharacterAt(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string ToUtf8(std::string bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t length = CharacterAt(std::string_view(bytes).substr(at));
    if (length == 0) bytes[at] = '?';
    at += length == 0 ? 1 : length;
  }
  return bytes;
}

}  // namespace decree

#include "kv/base/frame.h"

#define XXH_STATIC_LINKING_ONLY  // the state on the stack, without an allocation
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "kv/base/check.h"

namespace decree {
namespace {

constexpr char kMagic[4] = {'D', 'C', 'R', '1'};
constexpr std::size_t kTypeAt = 4;
constexpr std::size_t kZeroAt = 6;
constexpr std::size_t kLengthAt = 8;
constexpr std::size_t kHashAt = 12;

void StoreLittle(char* at, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) at[i] = static_cast<char>(value >> (8 * i));
}

std::uint64_t LoadLittle(const char* at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])) << (8 * i);
  }
  return value;
}

// The hash covers the header before it and the payload after it, which do not touch in memory.
// Short ones are put together first: setting up the streaming state costs more than their hash.
std::uint64_t FrameHash(const char* header, std::string_view payload) {
  char together[240];
  if (payload.size() <= sizeof together - kHashAt) {
    std::memcpy(together, header, kHashAt);
    payload.copy(together + kHashAt, payload.size());
    return XXH3_64bits(together, kHashAt + payload.size());
  }
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, header, kHashAt);
  XXH3_64bits_update(&state, payload.data(), payload.size());
  return XXH3_64bits_digest(&state);
}

// Whether the bytes that are here can begin a frame: garbage is refused as early as it shows.
bool CouldBeHeader(std::string_view head) {
  const std::size_t n = std::min(head.size(), sizeof kMagic);
  if (!std::equal(head.begin(), head.begin() + static_cast<std::ptrdiff_t>(n), kMagic))
    return false;
  if (head.size() > kZeroAt && head[kZeroAt] != 0) return false;
  if (head.size() > kZeroAt + 1 && head[kZeroAt + 1] != 0) return false;
  return head.size() < kHashAt || LoadLittle(head.data() + kLengthAt, 4) <= kMaxFramePayload;
}

}  // namespace

std::size_t BeginFrame(std::string& out) {
  const std::size_t begin = out.size();
  out.append(kFrameHeaderBytes, '\0');
  return begin;
}

void FinishFrame(std::string& out, std::size_t begin, std::uint16_t type) {
  DECREE_CHECK(begin <= out.size() && out.size() - begin >= kFrameHeaderBytes);
  char* header = out.data() + begin;
  const std::string_view payload = std::string_view(out).substr(begin + kFrameHeaderBytes);
  DECREE_CHECK(payload.size() <= kMaxFramePayload);
  std::copy(std::begin(kMagic), std::end(kMagic), header);
  StoreLittle(header + kTypeAt, type, 2);
  StoreLittle(header + kZeroAt, 0, 2);
  StoreLittle(header + kLengthAt, payload.size(), 4);
  StoreLittle(header + kHashAt, FrameHash(header, payload), 8);
}

void AppendFrame(std::string& out, std::uint16_t type, std::string_view payload) {
  const std::size_t begin = BeginFrame(out);
  out.append(payload);
  FinishFrame(out, begin, type);
}

FrameState ParseFrame(std::string_view buffer, Frame* frame, std::size_t* consumed) {
  if (!CouldBeHeader(buffer.substr(0, kFrameHeaderBytes))) return FrameState::kBad;
  if (buffer.size() < kFrameHeaderBytes) return FrameState::kIncomplete;
  const std::size_t length = LoadLittle(buffer.data() + kLengthAt, 4);
  if (buffer.size() - kFrameHeaderBytes < length) return FrameState::kIncomplete;
  const std::string_view payload = buffer.substr(kFrameHeaderBytes, length);
  if (LoadLittle(buffer.data() + kHashAt, 8) != FrameHash(buffer.data(), payload)) {
    return FrameState::kBad;
  }
  frame->type = static_cast<std::uint16_t>(LoadLittle(buffer.data() + kTypeAt, 2));
  frame->payload = payload;
  *consumed = kFrameHeaderBytes + length;
  return FrameState::kComplete;
}

std::size_t FrameBytes(std::string_view buffer) {
  if (buffer.size() < kHashAt) return 0;
  return kFrameHeaderBytes + LoadLittle(buffer.data() + kLengthAt, 4);
}

std::uint64_t Hash64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace decree

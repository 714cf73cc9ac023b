// The frame: how bytes are delimited and guarded on the wire and in files.
//
//   offset  size  field
//   0       4     magic "DCR1" (version of the frame layout in the last byte)
//   4       2     type, little endian
//   6       2     zero
//   8       4     payload length, little endian
//   12      8     XXH3-64 of the first 12 bytes and the payload, little endian
//   20      n     payload
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "decree/result.h"

namespace decree {

inline constexpr std::size_t kFrameHeaderBytes = 20;
inline constexpr std::size_t kMaxFramePayload = std::size_t{16} << 20;

struct Frame {
  std::uint16_t type = 0;
  std::string_view payload;  // points into the buffer that was parsed
};

// Reserves room for a header at the end of `out`; the caller appends the payload; Finish fills the
// header in. So a payload is encoded in place, without a copy.
std::size_t BeginFrame(std::string& out);
void FinishFrame(std::string& out, std::size_t begin, std::uint16_t type);
void AppendFrame(std::string& out, std::uint16_t type, std::string_view payload);

enum class FrameState { kComplete, kIncomplete, kBad };

// Reads one frame from the front of `buffer`. kComplete: `frame` and `consumed` are set.
// kIncomplete: more bytes are needed. kBad: not a frame, over the limit, or the checksum is wrong:
// close the link.
FrameState ParseFrame(std::string_view buffer, Frame* frame, std::size_t* consumed);

// Header and payload of the frame at the front of `buffer`, as far as they are there or not; 0: its
// length is not there yet.
std::size_t FrameBytes(std::string_view buffer);

std::uint64_t Hash64(std::string_view bytes);  // XXH3-64, seed 0

}  // namespace decree

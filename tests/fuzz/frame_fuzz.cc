// Frames: what the stream parser makes of whatever arrives on a socket or stands in a file.
#include "kv/base/frame.h"
#include "tests/fuzz/fuzz_target.h"

namespace decree::fuzz {
namespace {

// A stream is taken apart frame by frame; each says the same bytes again, and no part of it passes
// for a whole.
void TakeApart(std::string_view bytes) {
  Frame frame;
  std::size_t consumed = 0;
  while (ParseFrame(bytes, &frame, &consumed) == FrameState::kComplete) {
    DECREE_CHECK(consumed >= kFrameHeaderBytes && consumed <= bytes.size());
    DECREE_CHECK(frame.payload.size() == consumed - kFrameHeaderBytes);
    std::string again;
    AppendFrame(again, frame.type, frame.payload);
    DECREE_CHECK(again == bytes.substr(0, consumed));
    for (std::size_t part = 0; part < consumed; part += 1 + part / 4) {
      DECREE_CHECK(ParseFrame(bytes.substr(0, part), &frame, &consumed) == FrameState::kIncomplete);
    }
    bytes.remove_prefix(again.size());
  }
}

// No single changed byte of a frame is let through.
void Damage(std::uint16_t type, std::size_t at, std::uint8_t flips, std::string_view payload) {
  std::string bytes;
  AppendFrame(bytes, type, payload);
  TakeApart(bytes);
  if (flips == 0) return;
  bytes[at % bytes.size()] = static_cast<char>(bytes[at % bytes.size()] ^ flips);
  Frame frame;
  std::size_t consumed = 0;
  DECREE_CHECK(ParseFrame(bytes, &frame, &consumed) != FrameState::kComplete);
}

void Run(std::string_view input) {
  Pieces pieces(input);
  if (pieces.Byte() % 2 == 0) return TakeApart(pieces.Rest());
  const auto type = static_cast<std::uint16_t>(pieces.Number(2));
  const std::size_t at = pieces.Number(2);
  const std::uint8_t flips = pieces.Byte();
  Damage(type, at, flips, pieces.Rest());
}

std::vector<std::string> Seeds() {
  std::string frames;
  AppendFrame(frames, 4, "payload");
  AppendFrame(frames, 2, "");
  AppendFrame(frames, 1, std::string(300, 'x'));
  const std::string damage = Number(1, 1) + Number(3, 2) + Number(9, 2) + Number(128, 1);
  return {Number(0, 1) + frames, damage + "payload", damage + std::string(300, 'x')};
}

const Registration kFrame{{"frame", Run, Seeds}};

}  // namespace
}  // namespace decree::fuzz

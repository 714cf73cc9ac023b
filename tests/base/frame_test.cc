#include "kv/base/frame.h"

#include <gtest/gtest.h>

#include "kv/base/check.h"
#include "kv/base/random.h"

namespace decree {
namespace {

std::string Framed(std::string_view payload, std::uint16_t type = 7) {
  std::string bytes;
  AppendFrame(bytes, type, payload);
  return bytes;
}

FrameState Parse(std::string_view bytes) {
  Frame frame;
  std::size_t consumed = 0;
  return ParseFrame(bytes, &frame, &consumed);
}

TEST(FrameTest, RoundTripsEverySizeAroundTheShortHashPath) {
  for (const std::size_t size : {0u, 1u, 227u, 228u, 229u, 240u, 1000u, 100'000u}) {
    const std::string payload(size, 'p');
    const std::string bytes = Framed(payload, 0xBEEF) + "rest";
    Frame frame;
    std::size_t consumed = 0;
    ASSERT_EQ(ParseFrame(bytes, &frame, &consumed), FrameState::kComplete);
    EXPECT_EQ(frame.type, 0xBEEF);
    EXPECT_EQ(frame.payload, payload);
    EXPECT_EQ(consumed, kFrameHeaderBytes + size);
  }
}

TEST(FrameTest, HashCoversHeaderAndPayloadAsOneRunOfBytes) {
  for (const std::size_t size : {3u, 5000u}) {
    const std::string bytes = Framed(std::string(size, 'x'));
    const std::uint64_t expected = Hash64(bytes.substr(0, 12) + bytes.substr(20));
    std::uint64_t stored = 0;
    for (int i = 7; i >= 0; --i) stored = stored << 8 | static_cast<unsigned char>(bytes[12 + i]);
    EXPECT_EQ(stored, expected);
  }
}

TEST(FrameTest, EveryPrefixIsIncomplete) {
  const std::string bytes = Framed("payload");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(Parse(std::string_view(bytes).substr(0, size)), FrameState::kIncomplete) << size;
  }
}

TEST(FrameTest, EveryFlippedBitIsBadOrLeavesTheFrameIncomplete) {
  const std::string good = Framed("payload");
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(Parse(bytes), FrameState::kComplete) << bit;
  }
}

TEST(FrameTest, BadMagicIsRefusedAtTheFirstByte) {
  EXPECT_EQ(Parse("G"), FrameState::kBad);
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\n"), FrameState::kBad);
  EXPECT_EQ(Parse("DCR2"), FrameState::kBad);
}

TEST(FrameTest, OverlongLengthIsRefusedBeforeThePayloadArrives) {
  std::string header = Framed("").substr(0, 12);
  header[11] = 0x7F;
  EXPECT_EQ(Parse(header), FrameState::kBad);
  std::string largest = Framed("").substr(0, 12);
  largest[11] = static_cast<char>(kMaxFramePayload >> 24);
  EXPECT_EQ(Parse(largest), FrameState::kIncomplete);
}

TEST(FrameTest, PayloadIsEncodedInPlaceBehindOtherFrames) {
  std::string out = Framed("first");
  const std::size_t second = BeginFrame(out);
  out += "second";
  FinishFrame(out, second, 9);
  Frame frame;
  std::size_t consumed = 0;
  ASSERT_EQ(ParseFrame(out, &frame, &consumed), FrameState::kComplete);
  ASSERT_EQ(ParseFrame(std::string_view(out).substr(consumed), &frame, &consumed),
            FrameState::kComplete);
  EXPECT_EQ(frame.payload, "second");
}

TEST(FrameTest, FinishingAFrameThatWasNotBegunIsOurBug) {
  std::string out = "short";
  EXPECT_THROW(FinishFrame(out, 0, 1), CheckFailure);
}

TEST(FrameTest, RandomBytesNeverParse) {
  Random random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = random.Chance(0.5) ? "DCR1" : "";
    for (std::uint64_t left = random.Below(64); left > 0; --left)
      bytes.push_back(static_cast<char>(random.Next()));
    EXPECT_NE(Parse(bytes), FrameState::kComplete);
  }
}

TEST(Hash64Test, IsXxh3WithSeedZero) {
  EXPECT_EQ(Hash64(""), 0x2D06800538D394C2ull);  // published test vector
}

TEST(FrameTest, ItsSizeIsKnownBeforeItIsHere) {
  const std::string frame = Framed(std::string(1000, 'x'));
  EXPECT_EQ(FrameBytes(frame.substr(0, 11)), 0u);
  EXPECT_EQ(FrameBytes(frame.substr(0, 12)), frame.size());
  EXPECT_EQ(FrameBytes(frame + "more"), frame.size());
}

}  // namespace
}  // namespace decree

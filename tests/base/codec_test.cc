#include "kv/base/codec.h"

#include <gtest/gtest.h>

#include <limits>

#include "kv/base/random.h"

namespace decree {
namespace {

enum class Colour : std::uint8_t { kRed = 0, kBlue = 2, kMax = kBlue };

struct Inner {
  ShardId shard;
  std::optional<std::string> name;
  bool operator==(const Inner&) const = default;
  DECREE_FIELDS(shard, name)
};

struct Everything {
  std::uint64_t wide = 0;
  std::uint16_t narrow = 0;
  std::int64_t number = 0;
  std::int8_t tiny = 0;
  bool flag = false;
  double real = 0;
  Colour colour = Colour::kRed;
  std::string text;
  std::vector<Inner> list;
  std::map<std::string, std::uint32_t> table;
  std::variant<Inner, std::uint64_t> either;
  std::pair<NodeId, std::string> pair;
  bool operator==(const Everything&) const = default;
  DECREE_FIELDS(wide, narrow, number, tiny, flag, real, colour, text, list, table, either, pair)
};

Everything Full() {
  Everything e;
  e.wide = UINT64_MAX;
  e.narrow = 65535;
  e.number = INT64_MIN;
  e.tiny = -128;
  e.flag = true;
  e.real = -0.5;
  e.colour = Colour::kBlue;
  e.text = std::string("a\0b", 3);
  e.list = {{ShardId{1}, "one"}, {ShardId{2}, std::nullopt}};
  e.table = {{"x", 1}, {"y", 2}};
  e.either = std::uint64_t{300};
  e.pair = {NodeId{4}, "four"};
  return e;
}

TEST(CodecTest, RoundTripsEveryKindOfField) {
  EXPECT_EQ(Decode<Everything>(Encode(Full())).value(), Full());
  EXPECT_EQ(Decode<Everything>(Encode(Everything{})).value(), Everything{});
}

TEST(CodecTest, SignedNumbersKeepTheirExtremes) {
  for (const std::int64_t n : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, INT64_MAX}) {
    EXPECT_EQ(Decode<std::int64_t>(Encode(n)).value(), n);
  }
}

TEST(CodecTest, RefusesTrailingBytes) {
  EXPECT_EQ(Decode<Everything>(Encode(Full()) + "x").error(), Errc::kCorruption);
}

TEST(CodecTest, RefusesNumbersThatDoNotFit) {
  EXPECT_FALSE(Decode<std::uint16_t>(Encode(std::uint64_t{65536})));
  EXPECT_FALSE(Decode<bool>(Encode(std::uint64_t{2})));
  EXPECT_FALSE(Decode<std::int8_t>(Encode(std::int64_t{128})));
  EXPECT_FALSE(Decode<NodeId>(Encode(std::uint64_t{1} << 32)));
}

TEST(CodecTest, RefusesEnumsAndAlternativesOutOfRange) {
  EXPECT_FALSE(Decode<Colour>(Encode(std::uint64_t{3})));
  EXPECT_FALSE(Decode<std::optional<Errc>>(std::string{1, static_cast<char>(kMaxErrc) + 1}));
  EXPECT_FALSE((Decode<std::variant<bool, bool>>(std::string("\x02\x01", 2))));
}

TEST(CodecTest, RefusesVarintsLongerThanAWord) {
  EXPECT_FALSE(Decode<std::uint64_t>(std::string(10, '\xff') + '\x01'));
  EXPECT_FALSE(Decode<std::uint64_t>(std::string(9, '\xff') + '\x02'));
  EXPECT_EQ(Decode<std::uint64_t>(std::string(9, '\xff') + '\x01').value(), UINT64_MAX);
}

TEST(CodecTest, RefusesLengthsAndCountsBeyondTheInput) {
  const std::string huge = Encode(std::numeric_limits<std::uint64_t>::max());
  EXPECT_FALSE(Decode<std::string>(huge));
  EXPECT_FALSE(Decode<std::vector<Inner>>(huge));
  EXPECT_FALSE((Decode<std::map<std::string, std::string>>(huge)));
}

TEST(CodecTest, RefusesAMapKeyTwice) {
  const std::vector<std::pair<std::string, std::uint32_t>> twice = {{"x", 1}, {"x", 2}};
  EXPECT_FALSE((Decode<std::map<std::string, std::uint32_t>>(Encode(twice))));
}

TEST(CodecTest, EmptyBlobAndNoBlobAreTheSame) {
  EXPECT_EQ(Decode<Blob>(Encode(Blob{})).value(), nullptr);
  const Blob blob = std::make_shared<const std::string>("bytes");
  EXPECT_EQ(View(Decode<Blob>(Encode(blob)).value()), "bytes");
}

TEST(CodecTest, EveryTruncationIsRefused) {
  const std::string bytes = Encode(Full());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Decode<Everything>(std::string_view(bytes).substr(0, size))) << size;
  }
}

}  // namespace
}  // namespace decree

#include "kv/api/key_scan.h"

#include <gtest/gtest.h>

#include <map>

#include "kv/api/shard_map.h"
#include "kv/base/random.h"

namespace decree {
namespace {

using Keys = std::map<std::string, std::string>;

// Shards that answer as those of a node do.
class Shards {
 public:
  Shards(std::uint32_t count, const Keys& keys) : rows_(count) {
    for (const auto& [key, value] : keys) rows_[ShardOf(key, count).value][key] = value;
  }
  ScanResult Answer(const KeyScan::Page& page) {
    ++pages;
    const ScanRequest& request = page.request;
    ScanResult result;
    for (const auto& [key, value] : rows_[page.shard.value]) {
      if (!key.starts_with(request.prefix) || key <= request.after) continue;
      if (result.rows.size() == request.limit) return result;
      result.rows.push_back({key, value, 1});
    }
    result.complete = true;
    return result;
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(rows_.size()); }

  std::size_t pages = 0;

 private:
  std::vector<Keys> rows_;
};

// Pages come back in any order.
ScanResult Scan(const KeyRange& range, Shards& shards, Random& random) {
  EXPECT_TRUE(CheckLimits(range));
  KeyScan scan(range, shards.size());
  std::vector<KeyScan::Page> under_way;
  while (true) {
    while (auto page = scan.Next()) under_way.push_back(std::move(*page));
    EXPECT_LE(under_way.size(), kScanPagesAtOnce);
    if (scan.finished()) return scan.TakeResult();
    std::swap(under_way[random.Below(under_way.size())], under_way.back());
    EXPECT_TRUE(scan.Take(under_way.back().shard, shards.Answer(under_way.back())));
    under_way.pop_back();
  }
}

// What a scan of one sorted table gives.
ScanResult Expected(const KeyRange& range, const Keys& keys) {
  ScanResult result;
  std::size_t bytes = 0;
  for (const auto& [key, value] : keys) {
    if (!key.starts_with(range.prefix) || key < range.start || key <= range.after) continue;
    if (!range.end.empty() && key >= range.end) continue;
    bytes += key.size() + (range.keys_only ? 0 : value.size());
    const bool full = bytes > range.max_bytes && !result.rows.empty();
    if (result.rows.size() == range.limit || full) return result;
    result.rows.push_back({key, range.keys_only ? "" : value, 1});
  }
  result.complete = true;
  return result;
}

std::string AnyKey(Random& random) {
  constexpr char kBytes[] = {'\0', 'a', 'b', '{', '}', '\xFF'};
  std::string key(1 + random.Below(5), '\0');
  for (char& byte : key) byte = kBytes[random.Below(sizeof(kBytes))];
  return key;
}

std::vector<std::string> KeysOf(const ScanResult& result) {
  std::vector<std::string> keys;
  for (const ScanRow& row : result.rows) keys.push_back(row.key);
  return keys;
}

TEST(KeyScanTest, GivesWhatOneSortedTableWouldGive) {
  Random random(7);
  for (int round = 0; round < 3'000; ++round) {
    Keys keys;
    for (std::uint64_t i = random.Below(200); i > 0; --i) {
      keys[AnyKey(random)] = std::string(random.Below(30), 'v');
    }
    Shards shards(1u << random.Below(7), keys);
    KeyRange range;
    if (random.Below(3) == 0) range.prefix = AnyKey(random).substr(0, 1 + random.Below(4));
    if (random.Below(3) == 0) range.start = AnyKey(random);
    if (random.Below(3) == 0) range.end = AnyKey(random);
    if (random.Below(3) == 0) range.after = AnyKey(random);
    range.limit = static_cast<std::uint32_t>(1 + random.Below(60));
    range.keys_only = random.Below(4) == 0;
    if (random.Below(3) == 0) range.max_bytes = random.Below(600);
    const ScanResult result = Scan(range, shards, random);
    const ScanResult expected = Expected(range, keys);
    ASSERT_EQ(KeysOf(result), KeysOf(expected)) << "round " << round;
    ASSERT_EQ(result.complete, expected.complete) << "round " << round;
    for (std::size_t i = 0; i < result.rows.size(); ++i) {
      ASSERT_EQ(result.rows[i].value, expected.rows[i].value);
    }
  }
}

TEST(KeyScanTest, PagesFollowEachOtherWithoutGapOrRepetition) {
  Random random(8);
  Keys keys;
  for (int i = 0; i < 500; ++i) keys[AnyKey(random)] = "v";
  Shards shards(16, keys);
  for (const std::uint32_t limit : {1u, 7u, 100u}) {
    KeyRange range;
    range.limit = limit;
    std::vector<std::string> seen;
    for (bool complete = false; !complete;) {
      const ScanResult page = Scan(range, shards, random);
      for (const std::string& key : KeysOf(page)) seen.push_back(key);
      complete = page.complete;
      if (!complete) range.after = *FromCursor(ToCursor(seen.back()));
    }
    ASSERT_EQ(seen.size(), keys.size());
    EXPECT_TRUE(std::equal(seen.begin(), seen.end(), keys.begin(),
                           [](const auto& key, const auto& row) { return key == row.first; }));
  }
}

TEST(KeyScanTest, BytesEndAPageEarlyButNeverBeforeItsFirstRow) {
  Random random(9);
  Keys keys;
  for (int i = 0; i < 40; ++i) keys["k" + std::to_string(100 + i)] = std::string(1'000, 'v');
  Shards shards(8, keys);
  KeyRange range;
  range.max_bytes = 5'100;
  EXPECT_EQ(Scan(range, shards, random).rows.size(), 5u);
  EXPECT_FALSE(Scan(range, shards, random).complete);
  range.max_bytes = 10;
  EXPECT_EQ(KeysOf(Scan(range, shards, random)), std::vector<std::string>{"k100"});
  range.keys_only = true;
  range.max_bytes = 5'100;
  EXPECT_EQ(Scan(range, shards, random).rows.size(), 40u);
}

TEST(KeyScanTest, AWholeTagInThePrefixAsksOneShard) {
  Random random(10);
  Keys keys;
  for (int i = 0; i < 50; ++i) keys["u{7}x" + std::to_string(i)] = "v";
  Shards shards(64, keys);
  KeyRange range;
  range.prefix = "u{7}";
  EXPECT_EQ(Scan(range, shards, random).rows.size(), 50u);
  EXPECT_EQ(shards.pages, 1u);
  range.prefix = "u{7";  // the tag may go on
  EXPECT_EQ(Scan(range, shards, random).rows.size(), 50u);
  EXPECT_GT(shards.pages, 64u);
}

TEST(KeyScanTest, EvenlySpreadRowsTakeAboutOnePageOfEachShard) {
  Random random(11);
  Keys keys;
  for (int i = 0; i < 20'000; ++i) keys["k" + std::to_string(i)] = "v";
  Shards shards(64, keys);
  EXPECT_EQ(Scan({}, shards, random).rows.size(), 1'000u);
  EXPECT_LT(shards.pages, 64u * 2);
}

TEST(KeyScanTest, AShardThatNeverEndsIsAnError) {
  KeyScan scan({}, 1);
  const auto page = scan.Next();
  ASSERT_TRUE(page);
  EXPECT_EQ(scan.Take(page->shard, ScanResult{}).error(), Errc::kCorruption);
}

TEST(KeyScanTest, TheKeyBelowIsTheGreatestOfAllThatAreLower) {
  EXPECT_EQ(KeyBelow(""), "");
  EXPECT_EQ(KeyBelow(std::string(1, '\0')), "");
  EXPECT_EQ(KeyBelow(std::string("a\0", 2)), "a");
  const std::string below = KeyBelow("b");
  EXPECT_EQ(below, "a" + std::string(kMaxKeyBytes - 1, '\xFF'));
  EXPECT_LT(below, "b");
}

TEST(KeyScanTest, LimitsAreThoseOfKeysAndRows) {
  KeyRange range;
  range.limit = 0;
  EXPECT_EQ(CheckLimits(range).error(), Errc::kInvalidArgument);
  range.limit = kMaxScanRows + 1;
  EXPECT_EQ(CheckLimits(range).error(), Errc::kInvalidArgument);
  range.limit = kMaxScanRows;
  EXPECT_TRUE(CheckLimits(range));
  for (std::string KeyRange::*field :
       {&KeyRange::prefix, &KeyRange::start, &KeyRange::end, &KeyRange::after}) {
    KeyRange long_key;
    (long_key.*field).assign(kMaxKeyBytes, 'k');
    EXPECT_TRUE(CheckLimits(long_key));
    (long_key.*field).push_back('k');
    EXPECT_EQ(CheckLimits(long_key).error(), Errc::kTooLarge);
  }
}

TEST(CursorTest, CarriesAnyKeyInCharactersOfUrls) {
  Random random(12);
  for (int i = 0; i < 1'000; ++i) {
    std::string key(1 + random.Below(40), '\0');
    for (char& byte : key) byte = static_cast<char>(random.Below(256));
    const std::string cursor = ToCursor(key);
    EXPECT_EQ(cursor.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789-_"),
              std::string::npos);
    EXPECT_EQ(FromCursor(cursor), key);
  }
}

TEST(CursorTest, WhatWasMadeUpIsNone) {
  const std::string cursor = ToCursor("key");
  for (const std::string& bad :
       {std::string(), std::string("abc"), cursor + "A", cursor.substr(1), "A" + cursor,
        cursor + "=", std::string("!"), std::string(500, 'A')}) {
    EXPECT_EQ(FromCursor(bad), std::nullopt) << bad;
  }
  for (std::size_t i = 0; i < cursor.size(); ++i) {
    std::string changed = cursor;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    EXPECT_EQ(FromCursor(changed), std::nullopt) << changed;
  }
}

}  // namespace
}  // namespace decree

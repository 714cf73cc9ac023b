#include "kv/store/log_format.h"

#include <gtest/gtest.h>

#include "tests/store/test_disk.h"

namespace decree::store {
namespace {

class LogFormatTest : public testing::Test {
 protected:
  // Appends a record as the next one of a segment image.
  void Put(std::string& image, LogRecordType type, const std::string& payload,
           std::uint32_t batch) {
    const std::uint64_t offset = image.size();
    const std::size_t begin = BeginRecord(image);
    image += payload;
    FinishRecord(image, begin, segment_, offset, {Key(7, 3), type, 0, batch});
  }
  std::string Empty() const { return EncodeSegmentHeader(segment_); }
  SegmentScan Scan(const std::string& image, std::vector<std::string>* payloads = nullptr) {
    return *ScanSegment(segment_, image, [&](const LogRecord& record) {
      if (payloads != nullptr) payloads->emplace_back(record.payload);
      return Status();
    });
  }

  const SegmentHeader segment_{5, 0x1234567890abcdef, 1 << 16, 2};
};

TEST_F(LogFormatTest, ASegmentHeaderComesBackAndAnyFlippedBitIsSeen) {
  const std::string bytes = Empty();
  ASSERT_EQ(bytes.size(), kSegmentHeaderBytes);
  const auto header = DecodeSegmentHeader(bytes);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->sequence, 5u);
  EXPECT_EQ(header->salt, segment_.salt);
  EXPECT_EQ(header->bytes, 1u << 16);
  EXPECT_EQ(header->first, 2u);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string bad = bytes;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(DecodeSegmentHeader(bad)) << bit;
  }
}

TEST_F(LogFormatTest, ARecordComesBackAndAnyFlippedBitIsSeen) {
  std::string image = Empty();
  Put(image, LogRecordType::kPersist, "payload", 64);
  const std::string record = image.substr(kSegmentHeaderBytes);
  const auto parsed = ParseRecord(segment_, record, kSegmentHeaderBytes);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->payload, "payload");
  EXPECT_EQ(parsed->header.key, Key(7, 3));
  EXPECT_EQ(parsed->header.type, LogRecordType::kPersist);
  EXPECT_EQ(parsed->header.batch, 64u);
  EXPECT_EQ(parsed->bytes, record.size());
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    std::string bad = record;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(ParseRecord(segment_, bad, kSegmentHeaderBytes)) << bit;
  }
}

TEST_F(LogFormatTest, ARecordIsValidOnlyAtItsPlaceInItsLife) {
  std::string image = Empty();
  Put(image, LogRecordType::kPersist, "payload", 64);
  const std::string record = image.substr(kSegmentHeaderBytes);
  EXPECT_FALSE(ParseRecord(segment_, record, kSegmentHeaderBytes + 8));
  SegmentHeader later = segment_;
  later.sequence = 6;
  EXPECT_FALSE(ParseRecord(later, record, kSegmentHeaderBytes));
  later = segment_;
  later.salt ^= 1;
  EXPECT_FALSE(ParseRecord(later, record, kSegmentHeaderBytes));
}

TEST_F(LogFormatTest, AScanEndsAtTheEndRecord) {
  std::string image = Empty();
  Put(image, LogRecordType::kPersist, "one", 64);
  Put(image, LogRecordType::kEnd, "", 64);
  const std::uint64_t end = image.size();
  Put(image, LogRecordType::kPersist, "two", 64);
  std::vector<std::string> payloads;
  const SegmentScan scan = Scan(image, &payloads);
  EXPECT_TRUE(scan.complete);
  EXPECT_EQ(scan.end, end);
  EXPECT_EQ(payloads, (std::vector<std::string>{"one", ""}));
}

TEST_F(LogFormatTest, OnlyALaterWriteProvesThatABadRecordHadBeenSynced) {
  for (const bool same_write : {true, false}) {
    std::string image = Empty();
    Put(image, LogRecordType::kPersist, "one", 64);
    const auto second = static_cast<std::uint32_t>(image.size());
    Put(image, LogRecordType::kPersist, "two", second);
    const auto third = static_cast<std::uint32_t>(image.size());
    Put(image, LogRecordType::kPersist, "three", same_write ? second : third);
    image[second + kRecordHeaderBytes] ^= 1;
    const SegmentScan scan = Scan(image);
    EXPECT_EQ(scan.end, second);
    EXPECT_EQ(scan.damaged, !same_write);
    EXPECT_FALSE(scan.clean_tail);
  }
}

TEST_F(LogFormatTest, ATailOfZerosIsClean) {
  std::string image = Empty();
  Put(image, LogRecordType::kPersist, "one", 64);
  image.resize(4096);
  const SegmentScan scan = Scan(image);
  EXPECT_TRUE(scan.clean_tail);
  EXPECT_FALSE(scan.damaged);
  EXPECT_FALSE(scan.complete);
}

TEST_F(LogFormatTest, GarbageIsNeitherRecordNorEvidence) {
  std::string image = Empty();
  std::uint64_t word = 88172645463325252ull;
  while (image.size() < 65536) {
    word ^= word << 13;
    word ^= word >> 7;
    word ^= word << 17;
    image.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  const SegmentScan scan = Scan(image);
  EXPECT_EQ(scan.end, kSegmentHeaderBytes);
  EXPECT_FALSE(scan.damaged);
  for (std::size_t size = 0; size < 200; ++size) {
    EXPECT_FALSE(ParseRecord(segment_, std::string_view(image).substr(64, size), 64));
  }
}

}  // namespace
}  // namespace decree::store

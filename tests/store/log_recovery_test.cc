// What FileLog accepts, cuts and refuses when it opens (FORMATS.md, "Torn or corrupt").
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/store/log_files.h"

namespace decree::store {
namespace {

class FileLogRecoveryTest : public testing::Test {
 protected:
  // Three synced records of the replica, then a fourth; returns the bytes of the crashed segment
  // and where each record ends.
  std::string MakeSegment(std::vector<std::uint64_t>* ends, const std::string& last) {
    auto log = files_.Open();
    for (std::uint64_t slot = 1; slot <= 3; ++slot) {
      EXPECT_TRUE(AppendAndWait(*log, a_, VoteRecord(slot, slot, std::string(20, 'v'))));
    }
    EXPECT_TRUE(AppendAndWait(*log, a_, VoteRecord(4, 4, last)));
    files_.Crash(log);
    std::string bytes = LogFiles::Read(files_.Files().front());
    const auto scan = ScanSegment(*DecodeSegmentHeader(bytes), bytes, [&](const LogRecord& record) {
      ends->push_back(record.offset + record.bytes);
      return Status();
    });
    EXPECT_TRUE(scan);
    EXPECT_EQ(ends->size(), 4u);
    return bytes;
  }
  std::string Reopened() {
    auto log = files_.TryOpen();
    if (!log) return "!" + log.error().ToString();
    return DescribeLog(**log, a_);
  }
  std::string Three() const {
    const std::string v(20, 'v');
    return "p0 w0 v1@1=" + v + " v2@2=" + v + " v3@3=" + v;
  }

  LogFiles files_;
  const ReplicaKey a_ = Key(1, 1);
};

TEST_F(FileLogRecoveryTest, Scenario18_CutsTheLastRecordTornAtAnyByte) {
  std::vector<std::uint64_t> ends;
  const std::string bytes = MakeSegment(&ends, std::string(30, 'x'));
  const std::string path = files_.Files().front();
  for (std::uint64_t cut = ends[2]; cut < ends[3]; ++cut) {
    for (const char filler : {'\0', '\xa5'}) {
      std::string torn = bytes;
      std::fill(torn.begin() + static_cast<std::ptrdiff_t>(cut), torn.end(), filler);
      if (torn == bytes) continue;  // zeros already
      LogFiles::Write(path, torn);
      EXPECT_EQ(Reopened(), Three()) << "torn at byte " << cut;
    }
  }
}

TEST_F(FileLogRecoveryTest, WhatWasCutNeverComesBack) {
  std::vector<std::uint64_t> ends;
  std::string torn = MakeSegment(&ends, std::string(30, 'x'));
  torn[ends[2] + 40] ^= 1;
  LogFiles::Write(files_.Files().front(), torn);
  EXPECT_EQ(Reopened(), Three());
  const std::string healed = LogFiles::Read(files_.Files().front());
  const std::string mark_end = healed.substr(ends[2]);
  EXPECT_EQ(mark_end.find_first_not_of('\0'), std::string::npos);
}

TEST_F(FileLogRecoveryTest, AppendsGoOnAfterACut) {
  std::vector<std::uint64_t> ends;
  std::string torn = MakeSegment(&ends, std::string(30, 'x'));
  torn.resize(ends[2] + 40);
  torn.resize(16384);
  LogFiles::Write(files_.Files().front(), torn);
  {
    auto log = files_.Open();
    EXPECT_TRUE(AppendAndWait(*log, a_, PromiseRecord(9)));
  }
  EXPECT_EQ(Reopened(), "p9" + Three().substr(2));
}

TEST_F(FileLogRecoveryTest, Scenario19_RefusesAFlippedBitInAnyRecordBeforeTheLastWrite) {
  std::vector<std::uint64_t> ends;
  const std::string bytes = MakeSegment(&ends, "x");
  const std::string path = files_.Files().front();
  for (std::uint64_t at = 0; at < ends[2]; ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    LogFiles::Write(path, damaged);
    const auto log = files_.TryOpen();
    ASSERT_FALSE(log) << "flipped at byte " << at;
    EXPECT_EQ(log.error(), Errc::kCorruption) << at;
    EXPECT_NE(log.error().detail().find(path), std::string::npos) << log.error().detail();
  }
}

TEST_F(FileLogRecoveryTest, NamesTheOffsetOfTheDamage) {
  std::vector<std::uint64_t> ends;
  std::string bytes = MakeSegment(&ends, "x");
  bytes[ends[0] + 33] ^= 4;
  LogFiles::Write(files_.Files().front(), bytes);
  const auto log = files_.TryOpen();
  ASSERT_FALSE(log);
  EXPECT_NE(log.error().detail().find("at byte " + std::to_string(ends[0])), std::string::npos)
      << log.error().detail();
}

TEST_F(FileLogRecoveryTest, RefusesZeroedSectorsBeforeTheLastWrite) {
  std::vector<std::uint64_t> ends;
  std::string bytes = MakeSegment(&ends, "x");
  std::fill(bytes.begin() + kSegmentHeaderBytes, bytes.begin() + static_cast<long>(ends[2]), '\0');
  LogFiles::Write(files_.Files().front(), bytes);
  EXPECT_EQ(files_.TryOpen().error(), Errc::kCorruption);
}

TEST_F(FileLogRecoveryTest, OneWriteWhoseLaterPartAloneReachedTheDiskIsTorn) {
  // The records of one write carry the same batch: none of them proves that another was synced.
  auto log = files_.Open();
  std::promise<void> gate;
  std::promise<void> entered;
  std::promise<void> last;
  log->Append(a_, PromiseRecord(1), [&](Status) {
    entered.set_value();
    gate.get_future().wait();
  });
  entered.get_future().wait();  // the writer is held: the next three are written together
  log->Append(a_, VoteRecord(1, 1, "one"), nullptr);
  log->Append(a_, VoteRecord(2, 1, "two"), nullptr);
  log->Append(a_, VoteRecord(3, 1, "three"), [&](Status) { last.set_value(); });
  gate.set_value();
  last.get_future().wait();
  files_.Crash(log);
  const std::string path = files_.Files().front();
  std::string bytes = LogFiles::Read(path);
  const std::size_t one = bytes.find("one");
  ASSERT_NE(one, std::string::npos);
  bytes[one] ^= 1;
  LogFiles::Write(path, bytes);
  EXPECT_EQ(Reopened(), "p1 w0");
}

TEST_F(FileLogRecoveryTest, ACleanStopProtectsTheLastRecordToo) {
  {
    auto log = files_.Open();
    ASSERT_TRUE(AppendAndWait(*log, a_, VoteRecord(1, 1, "only")));
  }
  const std::string path = files_.Files().front();
  std::string bytes = LogFiles::Read(path);
  bytes[bytes.find("only")] ^= 1;
  LogFiles::Write(path, bytes);
  EXPECT_EQ(files_.TryOpen().error(), Errc::kCorruption);
}

TEST_F(FileLogRecoveryTest, RefusesAMissingOrShortenedSegment) {
  {
    auto log = files_.Open();
    for (std::uint64_t slot = 1; slot <= 60; ++slot) {
      ASSERT_TRUE(AppendAndWait(*log, a_, VoteRecord(slot, 1, std::string(1000, 'v'))));
    }
  }
  const auto files = files_.Files();
  ASSERT_GE(files.size(), 4u);
  const std::string second = LogFiles::Read(files[1]);
  std::filesystem::remove(files[1]);
  EXPECT_EQ(files_.TryOpen().error(), Errc::kCorruption);
  LogFiles::Write(files[1], second.substr(0, second.size() / 2));
  EXPECT_EQ(files_.TryOpen().error(), Errc::kCorruption);
  LogFiles::Write(files[1], LogFiles::Read(files[2]));
  EXPECT_EQ(files_.TryOpen().error(), Errc::kCorruption) << "a copy of another segment";
  LogFiles::Write(files[1], second);
  EXPECT_TRUE(files_.TryOpen());
}

TEST_F(FileLogRecoveryTest, RefusesDamageInAnEarlierSegmentUpToItsEnd) {
  {
    auto log = files_.Open();
    for (std::uint64_t slot = 1; slot <= 30; ++slot) {
      ASSERT_TRUE(AppendAndWait(*log, a_, VoteRecord(slot, 1, std::string(1000, 'v'))));
    }
  }
  const std::string path = files_.Files().front();
  const std::string bytes = LogFiles::Read(path);
  const std::size_t last = bytes.rfind('v');
  std::string damaged = bytes;
  damaged[last] ^= 1;
  LogFiles::Write(path, damaged);
  EXPECT_EQ(files_.TryOpen().error(), Errc::kCorruption);
  damaged = bytes;
  const std::size_t end_record = (last / 8 + 1) * 8;
  std::fill(damaged.begin() + static_cast<long>(end_record), damaged.end(), '\0');
  LogFiles::Write(path, damaged);
  EXPECT_EQ(files_.TryOpen().error(), Errc::kCorruption) << "the end record is gone";
}

TEST_F(FileLogRecoveryTest, AnEmptyDirectoryIsALogOnlyIfAskedFor) {
  files_.options().create = false;
  EXPECT_EQ(files_.TryOpen().error(), Errc::kCorruption);
  files_.options().create = true;
  EXPECT_TRUE(files_.TryOpen());
}

TEST_F(FileLogRecoveryTest, AnUnfinishedNewSegmentIsNothing) {
  { ASSERT_TRUE(AppendAndWait(*files_.Open(), a_, PromiseRecord(3))); }
  LogFiles::Write(files_.options().directory + "/prepare.tmp", "half");
  EXPECT_EQ(Reopened(), "p3 w0");
}

TEST_F(FileLogRecoveryTest, AValueThatLooksLikeARecordIsNotTakenForOne) {
  // The bytes of a synced record, stored as a value in a record that is torn: no evidence of
  // anything, because a record is valid only at its own place.
  std::vector<std::uint64_t> ends;
  std::string bytes = MakeSegment(&ends, std::string(2000, 'x'));
  const std::string image = bytes.substr(ends[1], ends[2] - ends[1]);
  bytes.replace(ends[3] - 800, image.size(), image);
  LogFiles::Write(files_.Files().front(), bytes);
  EXPECT_EQ(Reopened(), Three());
}

}  // namespace
}  // namespace decree::store

// The contract of a power loss: what was synced is there, what was not may be, in part.
#include "tests/sim/sim_fs.h"

#include <errno.h>
#include <gtest/gtest.h>

#include <set>

namespace decree::sim {
namespace {

class SimFsTest : public testing::Test {
 protected:
  static std::shared_ptr<SimFs> Make(std::uint64_t seed = 1) {
    auto fs = std::make_shared<SimFs>(seed);
    EXPECT_EQ(fs->MakeDirectory("/d"), 0);
    EXPECT_EQ(fs->SyncDirectory("/"), 0);
    return fs;
  }
  static FsNodePtr Open(SimFs& fs, const std::string& path) {
    FsNodePtr file;
    EXPECT_EQ(fs.Open(path, SimFs::Missing::kCreate, &file), 0);
    return file;
  }
  // "-": there is no such file.
  static std::string Content(SimFs& fs, const std::string& path) {
    FsNodePtr file;
    if (fs.Open(path, SimFs::Missing::kFail, &file) != 0) return "-";
    std::string bytes;
    EXPECT_EQ(fs.Read(*file, 0, 1 << 20, &bytes), 0);
    return bytes;
  }
  static void WriteSynced(SimFs& fs, const std::string& path, const std::string& bytes) {
    const FsNodePtr file = Open(fs, path);
    EXPECT_EQ(fs.Write(*file, 0, bytes), 0);
    EXPECT_EQ(fs.Sync(*file), 0);
    EXPECT_EQ(fs.SyncDirectory("/d"), 0);
  }
  // What the path holds after power losses under many seeds.
  static std::set<std::string> Outcomes(const std::string& path,
                                        const std::function<void(SimFs&)>& before) {
    std::set<std::string> outcomes;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      const auto fs = Make(seed);
      before(*fs);
      outcomes.insert(Content(*fs->AfterPowerLoss(), path));
    }
    return outcomes;
  }
};

TEST_F(SimFsTest, WhatWasSyncedSurvives) {
  EXPECT_EQ(Outcomes("/d/f", [](SimFs& fs) { WriteSynced(fs, "/d/f", "bytes"); }),
            std::set<std::string>{"bytes"});
}

TEST_F(SimFsTest, ANameNeedsTheSyncOfItsDirectory) {
  EXPECT_EQ(Outcomes("/d/f",
                     [](SimFs& fs) {
                       const FsNodePtr file = Open(fs, "/d/f");
                       fs.Write(*file, 0, "bytes");
                       fs.Sync(*file);
                     }),
            (std::set<std::string>{"-", "bytes"}));
}

TEST_F(SimFsTest, BytesNeedTheSyncOfTheirFile) {
  const auto outcomes = Outcomes("/d/f", [](SimFs& fs) {
    fs.Write(*Open(fs, "/d/f"), 0, "bytes");
    fs.SyncDirectory("/d");
  });
  EXPECT_TRUE(outcomes.contains(""));
  EXPECT_TRUE(outcomes.contains("bytes"));
  EXPECT_FALSE(outcomes.contains("-"));
}

TEST_F(SimFsTest, AnOverwriteIsTornBetweenSectorsNeverWithin) {
  const std::string old_bytes(3 * SimFs::kSector, 'o');
  const auto outcomes = Outcomes("/d/f", [&](SimFs& fs) {
    WriteSynced(fs, "/d/f", old_bytes);
    fs.Write(*Open(fs, "/d/f"), 0, std::string(3 * SimFs::kSector, 'n'));
  });
  EXPECT_EQ(outcomes.size(), 8u) << "each sector is old or new";
  for (const std::string& bytes : outcomes) {
    ASSERT_EQ(bytes.size(), old_bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      ASSERT_EQ(bytes[i], bytes[i / SimFs::kSector * SimFs::kSector]);
    }
  }
}

TEST_F(SimFsTest, ARenameHappensOrDoesNotButLosesNothing) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const auto fs = Make(seed);
    WriteSynced(*fs, "/d/a", "bytes");
    ASSERT_EQ(fs->Rename("/d/a", "/d/b"), 0);
    const auto survivor = fs->AfterPowerLoss();
    EXPECT_NE(Content(*survivor, "/d/a") == "bytes", Content(*survivor, "/d/b") == "bytes");
  }
}

TEST_F(SimFsTest, ASyncedDirectoryTakesWhatItsNamesNeedAlong) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const auto fs = Make(seed);
    ASSERT_EQ(fs->MakeDirectory("/e"), 0);
    ASSERT_EQ(fs->SyncDirectory("/"), 0);
    WriteSynced(*fs, "/d/a", "bytes");
    ASSERT_EQ(fs->Rename("/d/a", "/e/a"), 0);
    ASSERT_EQ(fs->SyncDirectory("/e"), 0);
    const auto survivor = fs->AfterPowerLoss();
    EXPECT_EQ(Content(*survivor, "/e/a"), "bytes");
    EXPECT_EQ(Content(*survivor, "/d/a"), "-");
  }
}

TEST_F(SimFsTest, AnUnsyncedRemovalMayComeBack) {
  EXPECT_EQ(Outcomes("/d/f",
                     [](SimFs& fs) {
                       WriteSynced(fs, "/d/f", "bytes");
                       fs.RemoveFile("/d/f");
                     }),
            (std::set<std::string>{"-", "bytes"}));
}

TEST_F(SimFsTest, AHardLinkHoldsTheBytesWhenTheOtherNameGoes) {
  const auto fs = Make();
  WriteSynced(*fs, "/d/f", "bytes");
  ASSERT_EQ(fs->Link("/d/f", "/d/g"), 0);
  std::uint64_t links = 0;
  ASSERT_EQ(fs->Links("/d/f", &links), 0);
  EXPECT_EQ(links, 2u);
  EXPECT_EQ(fs->used(), 5u) << "stored once";
  ASSERT_EQ(fs->RemoveFile("/d/f"), 0);
  ASSERT_EQ(fs->SyncDirectory("/d"), 0);
  EXPECT_EQ(Content(*fs->AfterPowerLoss(), "/d/g"), "bytes");
}

TEST_F(SimFsTest, AfterAFailedSyncNoLaterOneWritesWhatItShouldHaveWritten) {
  const auto lost = [](SimFs& fs) {
    WriteSynced(fs, "/d/f", "old");
    const FsNodePtr file = Open(fs, "/d/f");
    fs.Write(*file, 0, "new");
    fs.FailNextSync();
    EXPECT_EQ(fs.Sync(*file), EIO);
    EXPECT_EQ(fs.Sync(*file), 0);
    EXPECT_EQ(Content(fs, "/d/f"), "new") << "the page cache has it";
  };
  EXPECT_TRUE(Outcomes("/d/f", lost).contains("old"));
  EXPECT_EQ(Outcomes("/d/f",
                     [&](SimFs& fs) {
                       lost(fs);
                       const FsNodePtr file = Open(fs, "/d/f");
                       fs.Write(*file, 0, "new");  // written again, its page is dirty again
                       fs.Sync(*file);
                     }),
            std::set<std::string>{"new"});
}

TEST_F(SimFsTest, AProcessThatEndsLeavesItsWritesAndItsHandlesFail) {
  const auto fs = Make();
  const FsNodePtr file = Open(*fs, "/d/f");
  ASSERT_EQ(fs->Write(*file, 0, "bytes"), 0);
  ASSERT_EQ(fs->Lock("/d/LOCK"), 0);
  const auto next = fs->AfterProcessEnd();
  EXPECT_EQ(Content(*next, "/d/f"), "bytes");
  EXPECT_EQ(next->Lock("/d/LOCK"), 0);
  EXPECT_EQ(fs->Write(*file, 0, "x"), EIO);
  EXPECT_EQ(fs->Sync(*file), EIO);
}

TEST_F(SimFsTest, TheMachineDiesInsideTheCallThatIsItsLast) {
  const auto fs = Make();
  const FsNodePtr file = Open(*fs, "/d/f");
  int deaths = 0;
  fs->DieAfter(2, [&] { ++deaths; });
  EXPECT_EQ(fs->Write(*file, 0, "a"), 0);
  EXPECT_EQ(fs->Write(*file, 1, "b"), EIO);
  EXPECT_EQ(deaths, 1);
  EXPECT_EQ(fs->Sync(*file), EIO);
  EXPECT_TRUE(fs->dead());
}

TEST_F(SimFsTest, AFullDiskRefusesGrowthOnly) {
  const auto fs = Make();
  const FsNodePtr file = Open(*fs, "/d/f");
  ASSERT_EQ(fs->Write(*file, 0, "bytes"), 0);
  fs->SetFull(true);
  EXPECT_EQ(fs->Write(*file, 0, "BYTES"), 0);
  EXPECT_EQ(fs->Write(*file, 1, "BYTES"), ENOSPC);
  EXPECT_EQ(fs->capacity(), fs->used());
  fs->SetFull(false);
  EXPECT_EQ(fs->Write(*file, 1, "BYTES"), 0);
}

TEST_F(SimFsTest, RotTurnsOneBitForGood) {
  const auto fs = Make();
  WriteSynced(*fs, "/d/f", std::string(4, '\0'));
  WriteSynced(*fs, "/d/other", "other");
  EXPECT_EQ(fs->Rot("/nowhere/", SimFs::Where::kAnywhere), "");
  EXPECT_EQ(fs->Rot("/d/f", SimFs::Where::kAnywhere), "/d/f");
  const auto survivor = fs->AfterPowerLoss();
  int bits = 0;
  for (const char byte : Content(*survivor, "/d/f")) {
    bits += __builtin_popcount(static_cast<unsigned char>(byte));
  }
  EXPECT_EQ(bits, 1);
  EXPECT_EQ(Content(*survivor, "/d/other"), "other");
}

TEST_F(SimFsTest, AnOldDirectoryIsPutBackWhereItStillIs) {
  const auto fs = Make();
  WriteSynced(*fs, "/d/f", "old");
  const FsNodePtr backup = fs->Copy("/");
  WriteSynced(*fs, "/d/f", "new");
  EXPECT_NE(fs->PutBackOne(backup, "/", 5), "");
  EXPECT_EQ(Content(*fs, "/d/f"), "old");
  EXPECT_EQ(Content(*fs->AfterPowerLoss(), "/d/f"), "old");
  EXPECT_EQ(Make()->PutBackOne(nullptr, "/", 0), "");
}

TEST_F(SimFsTest, ADamagedReadHappensOnce) {
  const auto fs = Make();
  fs->DamageNextRead("/staging/");
  EXPECT_EQ(fs->ReadDamage("/d/f", "bytes"), "bytes");
  EXPECT_NE(fs->ReadDamage("/staging/f", "bytes"), "bytes");
  EXPECT_EQ(fs->ReadDamage("/staging/f", "bytes"), "bytes");
}

TEST_F(SimFsTest, EqualSeedsLoseTheSame) {
  const auto run = [](std::uint64_t seed) {
    const auto fs = Make(seed);
    for (int i = 0; i < 20; ++i) {
      const std::string path = "/d/" + std::to_string(i);
      fs->Write(*Open(*fs, path), 0, std::string(2'000, static_cast<char>('a' + i)));
      if (i % 3 == 0) fs->SyncDirectory("/d");
    }
    const auto survivor = fs->AfterPowerLoss();
    std::string all;
    for (int i = 0; i < 20; ++i) all += Content(*survivor, "/d/" + std::to_string(i)) + "|";
    return all;
  };
  std::set<std::string> different;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    EXPECT_EQ(run(seed), run(seed));
    different.insert(run(seed));
  }
  EXPECT_GT(different.size(), 3u);
}

}  // namespace
}  // namespace decree::sim

#include "server/node/chunk_window.h"

#include <gtest/gtest.h>

namespace decree::node {
namespace {

using State = ChunkWindow::State;

TEST(ChunkWindowTest, CutsFilesIntoPiecesInTheirOrder) {
  ChunkWindow window;
  window.Begin({{250}, {0}, {100}});
  std::vector<std::tuple<std::size_t, std::uint64_t, std::uint32_t>> pieces;
  while (!window.finished()) {
    ChunkWindow::Chunk* chunk = window.Extend(100);
    ASSERT_NE(chunk, nullptr);
    EXPECT_EQ(chunk->state, chunk->size == 0 ? State::kHere : State::kWanted);
    chunk->state = State::kHere;
    for (const auto& one : window.TakeReady()) pieces.emplace_back(one.file, one.offset, one.size);
  }
  const decltype(pieces) expected{{0, 0, 100}, {0, 100, 100}, {0, 200, 50}, {1, 0, 0}, {2, 0, 100}};
  EXPECT_EQ(pieces, expected);
  EXPECT_EQ(window.Extend(100), nullptr);
}

TEST(ChunkWindowTest, ASnapshotWithoutFilesIsFinished) {
  ChunkWindow window;
  window.Begin({});
  EXPECT_TRUE(window.finished());
}

TEST(ChunkWindowTest, AsksForNothingThatIsHereAlready) {
  ChunkWindow window;
  window.Begin({{100, 100}, {250, 120}, {0, 0}, {70, 70}});
  std::vector<std::tuple<std::size_t, std::uint64_t, std::uint32_t>> pieces;
  while (!window.finished()) {
    ChunkWindow::Chunk* chunk = window.Extend(100);
    ASSERT_NE(chunk, nullptr);
    chunk->state = State::kHere;
    for (const auto& one : window.TakeReady()) pieces.emplace_back(one.file, one.offset, one.size);
  }
  const decltype(pieces) expected{{1, 120, 100}, {1, 220, 30}, {2, 0, 0}};
  EXPECT_EQ(pieces, expected);
}

TEST(ChunkWindowTest, AWholeSnapshotThatIsHereIsFinished) {
  ChunkWindow window;
  window.Begin({{100, 100}, {70, 70}});
  EXPECT_TRUE(window.finished());
}

TEST(ChunkWindowTest, IsFullUntilTheFirstIsTakenOut) {
  ChunkWindow window;
  window.Begin({{1'000}});
  for (std::size_t i = 0; i < ChunkWindow::kChunks; ++i) ASSERT_NE(window.Extend(100), nullptr);
  EXPECT_EQ(window.Extend(100), nullptr);
  window.Find(2)->state = State::kHere;
  EXPECT_TRUE(window.TakeReady().empty()) << "the first is not here";
  window.Find(1)->state = State::kHere;
  EXPECT_EQ(window.TakeReady().size(), 2u);
  EXPECT_EQ(window.Find(1), nullptr);
  EXPECT_NE(window.Extend(100), nullptr);
  EXPECT_TRUE(window.Any(State::kWanted));
  EXPECT_FALSE(window.Any(State::kAsked));
}

TEST(ChunkWindowTest, WhatIsPutBackComesFirstAgain) {
  ChunkWindow window;
  window.Begin({{300}});
  for (int i = 0; i < 3; ++i) window.Extend(100)->state = State::kHere;
  auto ready = window.TakeReady();
  ready.erase(ready.begin());
  ready.front().state = State::kWanted;
  window.PutBack(std::move(ready));
  EXPECT_FALSE(window.finished());
  EXPECT_TRUE(window.TakeReady().empty()) << "the second is wanted again";
  EXPECT_EQ(window.chunks().front().offset, 100u);
  window.Find(2)->state = State::kHere;
  EXPECT_EQ(window.TakeReady().size(), 2u);
  EXPECT_TRUE(window.finished());
}

TEST(ChunkWindowTest, IsFullThoughChunksWerePutBackIntoIt) {
  ChunkWindow window;
  window.Begin({{10'000}});
  for (int i = 0; i < 4; ++i) window.Extend(100)->state = State::kHere;
  auto batch = window.TakeReady();
  while (window.Extend(100) != nullptr) {
  }
  window.PutBack(std::move(batch));
  EXPECT_EQ(window.chunks().size(), 2 * ChunkWindow::kChunks);
  EXPECT_EQ(window.Extend(100), nullptr);
}

TEST(ChunkWindowTest, AsksForMoreAtATimeWhileAnswersAreQuick) {
  ChunkWindow window;
  window.Begin({{10'000}});
  const auto room = [&window] {
    std::size_t chunks = 0;
    for (auto& chunk : window.chunks()) chunk.state = State::kWanted;
    for (; window.HasRoom(); ++chunks) window.Extend(100)->state = State::kAsked;
    for (auto& chunk : window.chunks()) chunk.state = State::kHere;
    window.TakeReady();
    return chunks;
  };
  ChunkWindow::Chunk chunk;
  chunk.asked = Instant{1'000};
  const auto answer = [&](Duration after) { window.OnAnswer(chunk, chunk.asked + after); };
  EXPECT_EQ(room(), 1u);
  answer(100ms);
  EXPECT_EQ(room(), 2u);
  for (int i = 0; i < 5; ++i) answer(100ms);
  EXPECT_EQ(room(), ChunkWindow::kChunks);
  answer(700ms);
  EXPECT_EQ(room(), ChunkWindow::kChunks) << "neither quick nor slow";
  answer(1200ms);
  EXPECT_EQ(room(), ChunkWindow::kChunks - 1);
  window.OnSilence();
  EXPECT_EQ(room(), 1u);
  answer(2s);
  EXPECT_EQ(room(), 1u);
}

}  // namespace
}  // namespace decree::node

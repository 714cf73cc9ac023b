#include "server/node/chunk_window.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace decree::node {

void ChunkWindow::Begin(std::vector<File> files) {
  files_ = std::move(files);
  SkipWhole();
}

// To the next file of which something is missing, if only its name.
void ChunkWindow::SkipWhole() {
  for (; file_ < files_.size(); ++file_) {
    offset_ = files_[file_].have;
    if (offset_ < files_[file_].bytes || offset_ == 0) return;
  }
}

bool ChunkWindow::HasRoom() const {
  const auto under_way = std::count_if(chunks_.begin(), chunks_.end(), [](const Chunk& chunk) {
    return chunk.state == State::kAsked || chunk.state == State::kWaiting;
  });
  return static_cast<std::size_t>(under_way) < limit_;
}

void ChunkWindow::OnAnswer(const Chunk& chunk, Instant now) {
  const Duration took = now - chunk.asked;
  if (took < kQuick) limit_ = std::min(limit_ + 1, kChunks);
  if (took > kSlow) limit_ = std::max<std::size_t>(limit_ - 1, 1);
}

ChunkWindow::Chunk* ChunkWindow::Extend(std::uint32_t most) {
  if (chunks_.size() >= kChunks || file_ == files_.size()) return nullptr;
  const std::uint64_t left = files_[file_].bytes - offset_;
  Chunk chunk;
  chunk.number = ++last_number_;
  chunk.file = file_;
  chunk.offset = offset_;
  chunk.size = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, most));
  if (chunk.size == 0) chunk.state = State::kHere;
  offset_ += chunk.size;
  if (offset_ == files_[file_].bytes) {
    ++file_;
    SkipWhole();
  }
  chunks_.push_back(std::move(chunk));
  return &chunks_.back();
}

ChunkWindow::Chunk* ChunkWindow::Find(std::uint64_t number) {
  for (Chunk& chunk : chunks_) {
    if (chunk.number == number) return &chunk;
  }
  return nullptr;
}

bool ChunkWindow::Any(State state) const {
  return std::any_of(chunks_.begin(), chunks_.end(),
                     [state](const Chunk& chunk) { return chunk.state == state; });
}

std::vector<ChunkWindow::Chunk> ChunkWindow::TakeReady() {
  std::vector<Chunk> ready;
  while (!chunks_.empty() && chunks_.front().state == State::kHere) {
    ready.push_back(std::move(chunks_.front()));
    chunks_.pop_front();
  }
  return ready;
}

void ChunkWindow::PutBack(std::vector<Chunk> chunks) {
  chunks_.insert(chunks_.begin(), std::make_move_iterator(chunks.begin()),
                 std::make_move_iterator(chunks.end()));
}

}  // namespace decree::node

// The pieces of a snapshot's files that are on their way. Several at a time, so that the source
// reads, the network carries and this disk writes at once; they are written in their order. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "kv/base/time.h"

namespace decree::node {

class ChunkWindow {
 public:
  static constexpr std::size_t kChunks = 4;
  // An answer within that lets one more be under way; one that takes longer than the other, or none
  // at all, fewer: on a slow link each would wait for those before it, and be given up for that.
  static constexpr Duration kQuick = 500ms;
  static constexpr Duration kSlow = 1s;

  enum class State : std::uint8_t {
    kWanted,   // to be asked for
    kWaiting,  // for the gate, or for a busy source
    kAsked,
    kHere
  };
  struct Chunk {
    std::uint64_t number = 0;  // grows in the order of the files
    std::size_t file = 0;
    std::uint64_t offset = 0;
    std::uint32_t size = 0;  // 0: a file without bytes, which has to be there all the same
    State state = State::kWanted;
    int tries = 0;
    Instant asked;
    std::string answer;  // as it came
  };
  struct File {
    std::uint64_t bytes = 0;
    std::uint64_t have = 0;  // of them are here already, from the beginning on
  };

  void Begin(std::vector<File> files);
  // Whether one more may be asked for.
  bool HasRoom() const;
  void OnAnswer(const Chunk& chunk, Instant now);
  void OnSilence() { limit_ = 1; }
  // The next piece, of at most so many bytes, at the end of the window. Null: it is full, or there
  // is none.
  Chunk* Extend(std::uint32_t most);
  std::deque<Chunk>& chunks() { return chunks_; }
  Chunk* Find(std::uint64_t number);
  bool Any(State state) const;
  // Takes those out that are here before any other.
  std::vector<Chunk> TakeReady();
  void PutBack(std::vector<Chunk> chunks);  // that were taken out last
  // Everything was taken out.
  bool finished() const { return chunks_.empty() && file_ == files_.size(); }

 private:
  void SkipWhole();

  std::vector<File> files_;
  std::size_t file_ = 0;  // where the next piece begins
  std::uint64_t offset_ = 0;
  std::uint64_t last_number_ = 0;
  std::size_t limit_ = 1;
  std::deque<Chunk> chunks_;
};

}  // namespace decree::node

// Bytes on their way to one link, gathered from any thread into one buffer that the writer swaps
// away whole: one write for whatever waited. The appender wakes the writer only if it sleeps.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace decree::net {

class Outbox {
 public:
  explicit Outbox(std::size_t bound) : bound_(bound) {}

  struct Appended {
    bool refused = false;      // over the bound
    bool wake = false;         // the writer sleeps: post it
    std::uint64_t offset = 0;  // position in the stream of all that was ever appended
  };
  Appended Append(std::string_view bytes) {
    std::lock_guard lock(mutex_);
    const Appended result = Place(bytes.size());
    if (!result.refused) buffer_.append(bytes);
    return result;
  }
  Appended Append(std::string&& bytes) {
    constexpr std::size_t kLarge = std::size_t{64} << 10;  // better moved than copied
    if (bytes.size() < kLarge) return Append(std::string_view(bytes));
    std::lock_guard lock(mutex_);
    const Appended result = Place(bytes.size());
    if (result.refused) return result;
    if (buffer_.empty()) {
      buffer_ = std::move(bytes);
    } else {
      buffer_.append(bytes);
    }
    return result;
  }

  // Swaps what waits into `into`. If nothing waits, the writer goes to sleep and false is returned.
  bool Take(std::string& into) {
    std::lock_guard lock(mutex_);
    into.clear();
    if (buffer_.empty()) {
      awake_ = false;
      return false;
    }
    into.swap(buffer_);
    const std::uint64_t begin = taken_;
    taken_ += into.size();
    for (auto range = cancelled_.rbegin(); range != cancelled_.rend(); ++range) {
      into.erase(range->first - begin, range->second);
    }
    cancelled_.clear();
    if (into.empty()) awake_ = false;
    return !into.empty();
  }

  // Takes bytes back. False: they were taken, and may be on their way.
  bool Cancel(std::uint64_t offset, std::size_t size) {
    std::lock_guard lock(mutex_);
    if (offset < taken_) return false;
    cancelled_.emplace(offset, size);
    return true;
  }

  // Drops what waits. What lies in the stream at or above `from` and below `to` was never taken.
  struct Dropped {
    std::uint64_t from;
    std::uint64_t to;
  };
  Dropped Drop() {
    std::lock_guard lock(mutex_);
    const Dropped dropped{taken_, taken_ + buffer_.size()};
    taken_ = dropped.to;
    buffer_.clear();
    cancelled_.clear();
    awake_ = false;
    return dropped;
  }

  std::size_t size() const {
    std::lock_guard lock(mutex_);
    return buffer_.size();
  }

 private:
  Appended Place(std::size_t size) {
    if (buffer_.size() + size > bound_) return {true, false, 0};
    return {false, !std::exchange(awake_, true), taken_ + buffer_.size()};
  }

  const std::size_t bound_;
  mutable std::mutex mutex_;
  std::string buffer_;
  std::map<std::uint64_t, std::size_t> cancelled_;  // offset -> size, none taken yet
  std::uint64_t taken_ = 0;
  bool awake_ = false;
};

}  // namespace decree::net

// A callback that is certainly called: if everything that could call it is gone, its destructor
// does. So a task that was queued to a loop that has stopped still answers. And the table that
// finds a call again to cancel it. Not for programs that use Decree.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace decree::detail {

template <class T>
class AnswerOnce {
 public:
  AnswerOnce(std::function<void(T)> done, T otherwise)
      : done_(std::move(done)), otherwise_(std::move(otherwise)) {}
  ~AnswerOnce() { Answer(std::move(otherwise_)); }
  AnswerOnce(const AnswerOnce&) = delete;
  AnswerOnce& operator=(const AnswerOnce&) = delete;

  void Answer(T value) {
    if (const auto done = std::exchange(done_, nullptr)) done(std::move(value));
  }

 private:
  std::function<void(T)> done_;
  T otherwise_;
};

// Which operation of a Caller a client's call number stands for. One thread.
template <class Outcome>
class CallTable : public std::enable_shared_from_this<CallTable<Outcome>> {
 public:
  using Once = std::shared_ptr<AnswerOnce<Outcome>>;

  // `start` takes the callback, starts the operation and returns the Caller's number for it.
  template <class StartOperation>
  void Start(std::uint64_t call, Once once, StartOperation start) {
    started_[call] = kStarting;
    const std::uint64_t id = start([self = this->shared_from_this(), call, once](Outcome outcome) {
      self->started_.erase(call);
      once->Answer(std::move(outcome));
    });
    // Answered already, inside `start`? Then there is nothing to remember.
    if (const auto found = started_.find(call); found != started_.end()) found->second = id;
  }

  // The Caller's number, or 0: unknown, answered, or never started.
  std::uint64_t Find(std::uint64_t call) const {
    const auto found = started_.find(call);
    return found == started_.end() || found->second == kStarting ? 0 : found->second;
  }

  // The Caller's numbers of everything under way.
  std::vector<std::uint64_t> All() const {
    std::vector<std::uint64_t> all;
    for (const auto& [call, id] : started_) {
      if (id != kStarting) all.push_back(id);
    }
    return all;
  }

 private:
  static constexpr std::uint64_t kStarting = UINT64_MAX;
  std::unordered_map<std::uint64_t, std::uint64_t> started_;
};

}  // namespace decree::detail

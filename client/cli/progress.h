// How far a long command is: a bar on a terminal, a line every few seconds elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>

namespace decree::cli {

class Progress {
 public:
  // `total` in the same unit as Update's `done`; 0: not known.
  Progress(std::ostream& out, bool terminal, std::string name, std::uint64_t total);
  ~Progress();  // ends a bar that is still open

  // Cheap to call often. `note` follows the bar: "12,345 records".
  void Update(std::uint64_t done, const std::string& note = {});
  // The last state, once.
  void Finish(std::uint64_t done, const std::string& note = {});

 private:
  using Clock = std::chrono::steady_clock;

  void Draw(std::uint64_t done, const std::string& note);
  std::string Line(std::uint64_t done, const std::string& note) const;

  std::ostream& out_;
  const bool terminal_;
  const std::string name_;
  const std::uint64_t total_;
  const Clock::time_point started_ = Clock::now();
  Clock::time_point next_;
  bool open_ = false;
};

}  // namespace decree::cli

// Time, chance and threads that no seed decides. While the simulated world runs an event, a call of
// libc's clocks, sleeps, random devices or pthread_create ends the process with a message: whoever
// makes one would make two runs of a seed differ.
#pragma once

namespace decree::sim {

// While one lives, this thread is under the ban.
class LibcBan {
 public:
  LibcBan();
  ~LibcBan();
  LibcBan(const LibcBan&) = delete;
  LibcBan& operator=(const LibcBan&) = delete;
};

// An exception inside the ban, for a library whose use of clocks is known to change no answer.
class LibcBanLifted {
 public:
  LibcBanLifted();
  ~LibcBanLifted();
  LibcBanLifted(const LibcBanLifted&) = delete;
  LibcBanLifted& operator=(const LibcBanLifted&) = delete;

 private:
  int former_;
};

}  // namespace decree::sim

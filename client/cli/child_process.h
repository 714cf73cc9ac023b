// A program started by this one. It ends with its owner: in good order by Stop, otherwise killed.
// If this process dies, the kernel kills the child.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "decree/result.h"

namespace decree::cli {

class ChildProcess {
 public:
  // Standard output and error are appended to `log_path`; standard input is empty. The child has a
  // process group of its own: Ctrl-C is for its owner to act upon. Start from the main thread.
  static Result<ChildProcess> Start(const std::vector<std::string>& arguments,
                                    const std::string& log_path);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  bool Running();    // false once it has ended
  void Kill();       // SIGKILL, and waits
  void AskToStop();  // SIGTERM, and does not wait
  // SIGTERM; SIGKILL when the grace is over. The exit status, -signal if a signal ended it.
  int Stop(std::chrono::milliseconds grace);

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
  bool asked_ = false;  // a second SIGTERM would mean: at once
  std::optional<int> status_;
};

// The program `name` in the directory of the running one; empty if there is none.
std::string ProgramBeside(const std::string& name);

}  // namespace decree::cli

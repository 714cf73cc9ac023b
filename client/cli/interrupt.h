// Ctrl-C. By default it ends the program with 130; while an InterruptGuard lives, the first one
// only sets a flag, so that a long command can end in good order, and the second one ends the
// program.
#pragma once

namespace decree::cli {

void CatchInterrupts();  // once, by main

class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

bool Interrupted();

}  // namespace decree::cli

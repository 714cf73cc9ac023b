#include "client/cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "client/cli/exit_code.h"

namespace decree::cli {
namespace {

std::atomic<int> guards{0};
std::atomic<bool> interrupted{false};

void OnSignal(int) {
  if (guards == 0 || interrupted.exchange(true)) _exit(kExitInterrupted);
}

}  // namespace

void CatchInterrupts() {
  struct sigaction action {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction ignore {};  // a closed pipe or connection is an error of that write, no more
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
}

InterruptGuard::InterruptGuard() { ++guards; }
InterruptGuard::~InterruptGuard() { --guards; }

bool Interrupted() { return interrupted; }

}  // namespace decree::cli

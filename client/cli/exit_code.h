// What the program's exit status means (contract: `decree`).
#pragma once

#include <cstdint>

#include "decree/result.h"

namespace decree::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitError = 1,
  kExitUsage = 2,
  kExitNotFound = 3,
  kExitPrecondition = 4,
  kExitUnreachable = 5,  // nobody answers, or no quorum: nothing was changed
  kExitUnknown = 6,      // timed out after it was sent
  kExitInterrupted = 130,
};

int ExitOf(Errc code);
// Of an administrative answer; 0 below 400.
int ExitOfStatus(std::uint32_t http_status);

}  // namespace decree::cli

#include "client/cli/exit_code.h"

namespace decree::cli {

int ExitOf(Errc code) {
  switch (code) {
    case Errc::kOk:
      return kExitOk;
    case Errc::kNotFound:
      return kExitNotFound;
    case Errc::kPreconditionFailed:
      return kExitPrecondition;
    case Errc::kUnavailable:
    case Errc::kDeadlineExceeded:
    case Errc::kShuttingDown:
    case Errc::kNotLeader:
    case Errc::kStaleMap:
      return kExitUnreachable;
    case Errc::kOutcomeUnknown:
      return kExitUnknown;
    case Errc::kInvalidArgument:
      return kExitUsage;
    case Errc::kCancelled:
      return kExitInterrupted;
    default:
      return kExitError;
  }
}

int ExitOfStatus(std::uint32_t http_status) {
  if (http_status < 400) return kExitOk;
  if (http_status == 404) return kExitNotFound;
  if (http_status == 412) return kExitPrecondition;
  if (http_status == 503) return kExitUnreachable;
  if (http_status == 504) return kExitUnknown;
  return kExitError;
}

}  // namespace decree::cli

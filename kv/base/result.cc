#include "decree/result.h"

#include <array>
#include <boost/throw_exception.hpp>

namespace decree {
namespace {

// Indexed by code: the `code` field of problem+json, so a name never changes.
constexpr std::array<std::string_view, static_cast<std::size_t>(kMaxErrc) + 1> kNames = {
    "ok",
    "not_found",
    "precondition_failed",
    "unavailable",
    "outcome_unknown",
    "deadline_exceeded",
    "too_large",
    "invalid_argument",
    "session_expired",
    "shutting_down",
    "conflict",
    "busy",
    "impossible",
    "corruption",
    "io",
    "no_space",
    "wrong_cluster",
    "locked",
    "not_leader",
    "stale_map",
    "cancelled",
    "unauthorized",
};
static_assert(!kNames.back().empty(), "every code needs a name");

class Category final : public boost::system::error_category {
 public:
  // A fixed id keeps categories of two copies of the library (shared objects) equal.
  constexpr Category() : error_category(0xD3C7EE5A11E77E57ull) {}
  const char* name() const noexcept override { return "decree"; }
  std::string message(int value) const override {
    return std::string(ErrcName(static_cast<Errc>(value)));
  }
};

}  // namespace

std::string_view ErrcName(Errc code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kNames.size() ? kNames[index] : std::string_view("unknown_code");
}

bool IsRetryable(Errc code) {
  switch (code) {
    case Errc::kUnavailable:
    case Errc::kDeadlineExceeded:
    case Errc::kBusy:
    case Errc::kNotLeader:
    case Errc::kStaleMap:
    case Errc::kShuttingDown:
      return true;
    default:
      return false;
  }
}

bool MaybeApplied(Errc code) { return code == Errc::kOk || code == Errc::kOutcomeUnknown; }

const boost::system::error_category& DecreeCategory() {
  static const Category category;
  return category;
}

boost::system::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), DecreeCategory()};
}

std::string Error::ToString() const {
  std::string text(ErrcName(code_));
  if (!detail_.empty()) text += ": " + detail_;
  return text;
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  const boost::system::system_error thrown(make_error_code(error.code()), error.detail());
  boost::throw_exception(thrown, where);
}

}  // namespace decree

// Settings in and out, and problems.
#include <boost/json.hpp>
#include <functional>
#include <map>
#include <string>

#include "kv/base/utf8.h"
#include "server/node/admin_json.h"
#include "server/node/admin_service.h"

namespace decree::node {
namespace {

namespace json = boost::json;

struct Problem {
  std::uint32_t status;
  std::string_view title;
};

Problem ProblemOf(Errc code) {
  switch (code) {
    case Errc::kInvalidArgument:
    case Errc::kTooLarge:
      return {400, "Bad request"};
    case Errc::kNotFound:
      return {404, "Not found"};
    case Errc::kConflict:
      return {409, "Conflict"};
    case Errc::kPreconditionFailed:
      return {412, "Precondition failed"};
    case Errc::kImpossible:
      return {422, "Impossible"};
    case Errc::kBusy:
      return {429, "Busy"};
    case Errc::kOutcomeUnknown:
      return {504, "Outcome unknown"};
    case Errc::kCorruption:
    case Errc::kIo:
      return {500, "Internal error"};
    default:
      return {503, "Unavailable"};
  }
}

std::string Switch(bool on) { return on ? "on" : "off"; }

Status ReadSwitch(const std::string& name, const json::value& value, std::optional<bool>* out) {
  if (value == "on" || value == true) {
    *out = true;
  } else if (value == "off" || value == false) {
    *out = false;
  } else {
    return Error(Errc::kInvalidArgument, name + " is \"on\" or \"off\"");
  }
  return {};
}

template <class T>
Status ReadNumber(const std::string& name, const json::value& value, T low, T high,
                  std::optional<T>* out) {
  boost::system::error_code failed;
  const auto number = value.is_number() ? value.to_number<std::int64_t>(failed) : -1;
  if (failed || number < static_cast<std::int64_t>(low) ||
      number > static_cast<std::int64_t>(high)) {
    return Error(Errc::kInvalidArgument,
                 name + " is a number from " + std::to_string(low) + " to " + std::to_string(high));
  }
  *out = static_cast<T>(number);
  return {};
}

constexpr std::uint64_t kMaxRate = std::uint64_t{1} << 40;
constexpr std::uint64_t kMaxDelay = 365ull * 24 * 3600;

Status PatchOne(const std::string& name, const json::value& value, rebalance::ChangeSettings* s) {
  if (name == "rebalance") return ReadSwitch(name, value, &s->rebalance);
  if (name == "repair") return ReadSwitch(name, value, &s->repair);
  if (name == "drain") return ReadSwitch(name, value, &s->drain);
  if (name == "replicas") {
    const Status read = ReadNumber<std::uint32_t>(name, value, 1, 5, &s->replicas);
    if (read && *s->replicas % 2 == 0)
      return Error(Errc::kInvalidArgument, "replicas is 1, 3 or 5");
    return read;
  }
  if (name == "threshold_percent") {
    return ReadNumber<std::uint32_t>(name, value, 1, 100, &s->threshold_percent);
  }
  if (name == "move_rate_bytes_per_s") {
    return ReadNumber<std::uint64_t>(name, value, 1024, kMaxRate, &s->move_rate_bytes_per_s);
  }
  if (name == "moves_per_disk") {
    return ReadNumber<std::uint32_t>(name, value, 1, 64, &s->moves_per_disk);
  }
  if (name == "dead_node_delay_s") {
    return ReadNumber<std::uint64_t>(name, value, 1, kMaxDelay, &s->dead_node_delay_s);
  }
  if (name == "switch_wait_ms") {
    return ReadNumber<std::uint64_t>(name, value, 1, 10'000, &s->switch_wait_ms);
  }
  if (name == "move_stall_s") {
    return ReadNumber<std::uint64_t>(name, value, 1, kMaxDelay, &s->move_stall_s);
  }
  return Error(Errc::kInvalidArgument, "unknown setting '" + name + "'");
}

}  // namespace

json::object SettingsJson(const rebalance::Settings& settings) {
  return {{"rebalance", Switch(settings.rebalance)},
          {"repair", Switch(settings.repair)},
          {"drain", Switch(settings.drain)},
          {"replicas", settings.replicas},
          {"threshold_percent", settings.threshold_percent},
          {"move_rate_bytes_per_s", settings.move_rate_bytes_per_s},
          {"moves_per_disk", settings.moves_per_disk},
          {"dead_node_delay_s", settings.dead_node_delay_s},
          {"switch_wait_ms", settings.switch_wait_ms},
          {"move_stall_s", settings.move_stall_s}};
}

Result<rebalance::ChangeSettings> ReadSettings(const json::object& patch) {
  rebalance::ChangeSettings change;
  for (const auto& [name, value] : patch) {
    const Status read = PatchOne(std::string(name), value, &change);
    if (!read) return read.error();
  }
  return change;
}

AdminResponse AdminProblem(std::uint32_t status, Errc code, std::string_view detail) {
  const json::object body{{"title", ProblemOf(code).title},
                          {"status", status},
                          {"detail", detail},
                          {"code", ErrcName(code)},
                          {"retryable", IsRetryable(code)},
                          {"outcome", MaybeApplied(code) ? "unknown" : "not_applied"}};
  return {status, {}, ToUtf8(json::serialize(body))};
}

AdminResponse AdminProblem(Errc code, const std::string& detail) {
  return AdminProblem(ProblemOf(code).status, code, detail);
}

}  // namespace decree::node

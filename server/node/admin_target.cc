#include "server/node/admin_target.h"

#include <charconv>

namespace decree::node {
namespace {

constexpr std::string_view kPrefix = "/v1/admin/";

// Splits at the first separator; the second half is empty if there is none.
std::pair<std::string_view, std::string_view> SplitAt(std::string_view text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

}  // namespace

std::optional<std::uint64_t> ParseNumber(std::string_view digits) {
  std::uint64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (digits.empty() || stop != end || error != std::errc()) return std::nullopt;
  return value;
}

Result<AdminTarget> ParseAdminTarget(std::string_view target) {
  const Error unknown(Errc::kNotFound, "no such resource");
  if (!target.starts_with(kPrefix)) return unknown;
  auto [path, query] = SplitAt(target.substr(kPrefix.size()), '?');
  AdminTarget parsed;
  const auto [collection, item] = SplitAt(path, '/');
  const auto [name, action] = SplitAt(item, ':');
  if (collection.empty() || name.find('/') != std::string_view::npos) return unknown;
  if (path.size() > collection.size() && name.empty()) return unknown;
  parsed.collection = collection;
  parsed.item = name;
  parsed.action = action;
  while (!query.empty()) {
    const auto [pair, rest] = SplitAt(query, '&');
    const auto [key, value] = SplitAt(pair, '=');
    if (key.empty()) return Error(Errc::kInvalidArgument, "a query has the form key=value");
    parsed.query[std::string(key)] = value;
    query = rest;
  }
  return parsed;
}

}  // namespace decree::node

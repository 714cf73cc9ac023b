#include "server/net/http_target.h"

#include <charconv>
#include <limits>

#include "decree/types.h"

namespace decree::net {
namespace {

constexpr std::uint64_t kNoSuchVersion = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kMaxDurationMs = std::uint64_t{10} * 366 * 24 * 3600 * 1000;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::uint64_t> ParseNumber(std::string_view digits) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool canonical = digits.size() == 1 || (!digits.empty() && digits.front() != '0');
  if (error != std::errc() || end != digits.data() + digits.size() || !canonical) {
    return std::nullopt;
  }
  return number;
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The next "name=value" of a query, which is taken off its front.
std::string_view TakePair(std::string_view& query) {
  const std::string_view pair = query.substr(0, query.find('&'));
  query.remove_prefix(std::min(query.size(), pair.size() + 1));
  return pair;
}

bool IsQuoted(std::string_view tag) {
  return tag.size() >= 2 && tag.front() == '"' && tag.back() == '"' &&
         tag.substr(1, tag.size() - 2).find('"') == std::string_view::npos;
}

Error BadTag(const char* header, std::string_view value) {
  return {Errc::kInvalidArgument, std::string(header) +
                                      " must be * or one version such as \"42\", not '" +
                                      std::string(value) + "'"};
}

Result<Condition> ParseIfMatch(std::string_view value) {
  const std::string_view tag = Trimmed(value);
  if (tag == "*") return Condition{ConditionKind::kPresent, 0, {}};
  const bool weak = tag.starts_with("W/");
  const std::string_view strong = weak ? tag.substr(2) : tag;
  const bool quoted = IsQuoted(strong);
  const auto number = ParseNumber(quoted ? strong.substr(1, strong.size() - 2) : strong);
  if (!quoted && (weak || !number)) return BadTag("If-Match", value);
  const bool possible = !weak && number && *number != 0;
  return Condition{ConditionKind::kVersionIs, possible ? *number : kNoSuchVersion, {}};
}

}  // namespace

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes.push_back(text[i]);
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = HexDigit(text[i + 1]);
    const int low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return bytes;
}

Result<Target> ParseTarget(std::string_view text) {
  if (text.starts_with("http://") || text.starts_with("https://")) {
    const std::size_t path = text.find('/', text.find("//") + 2);
    text = path == std::string_view::npos ? "/" : text.substr(path);
  }
  text = text.substr(0, text.find('#'));
  const std::size_t mark = text.find('?');
  Target target{text.substr(0, mark), {}, {}};
  if (mark != std::string_view::npos) target.raw_query = text.substr(mark + 1);
  std::string_view rest = target.raw_query;
  while (!rest.empty()) {
    const std::string_view pair = TakePair(rest);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    auto name = PercentDecode(pair.substr(0, equals));
    auto value = PercentDecode(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
    if (!name || !value) {
      return Error(Errc::kInvalidArgument, "the query has a % without two hexadecimal digits");
    }
    target.query.emplace_back(std::move(*name), std::move(*value));
  }
  return target;
}

std::string WithoutParameter(const Target& target, std::string_view name) {
  std::string text(target.path);
  char separator = '?';
  std::string_view rest = target.raw_query;
  while (!rest.empty()) {
    const std::string_view pair = TakePair(rest);
    if (pair.empty() || PercentDecode(pair.substr(0, pair.find('='))) == name) continue;
    text.append(1, separator).append(pair);
    separator = '&';
  }
  return text;
}

std::optional<Duration> ParseDuration(std::string_view text) {
  const std::size_t unit_at = text.find_first_not_of("0123456789");
  if (unit_at == std::string_view::npos || unit_at == 0) return std::nullopt;
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + unit_at, number);
  if (parsed.ec != std::errc()) return std::nullopt;
  const std::string_view unit = text.substr(unit_at);
  const std::uint64_t ms = unit == "ms"  ? 1
                           : unit == "s" ? 1000
                           : unit == "m" ? 60'000
                           : unit == "h" ? 3'600'000
                                         : 0;
  if (ms == 0 || number == 0 || number > kMaxDurationMs / ms) return std::nullopt;
  return milliseconds(number * ms);
}

Result<std::string> ParseKey(std::string_view encoded) {
  if (encoded.find('/') != std::string_view::npos) {
    return Error(Errc::kInvalidArgument, "a key is one path segment: write / as %2F");
  }
  auto key = PercentDecode(encoded);
  if (!key) {
    return Error(Errc::kInvalidArgument, "the key has a % without two hexadecimal digits");
  }
  if (key->empty()) return Error(Errc::kInvalidArgument, "the key is empty");
  if (key->size() > kMaxKeyBytes) {
    return Error(Errc::kTooLarge, "the key has " + std::to_string(key->size()) +
                                      " bytes, the limit is " + std::to_string(kMaxKeyBytes));
  }
  return std::move(*key);
}

Result<Condition> ParseCondition(const std::optional<std::string>& if_match,
                                 const std::optional<std::string>& if_none_match) {
  if (if_match && if_none_match) {
    return Error(Errc::kInvalidArgument, "If-Match and If-None-Match exclude each other");
  }
  if (if_match) return ParseIfMatch(*if_match);
  if (!if_none_match) return Condition{};
  if (Trimmed(*if_none_match) != "*") {
    return Error(Errc::kInvalidArgument, "a write takes If-None-Match: * only");
  }
  return Condition{ConditionKind::kAbsent, 0, {}};
}

bool NamesVersion(std::string_view tags, std::uint64_t version) {
  const std::string wanted = std::to_string(version);
  while (!tags.empty()) {
    std::string_view tag = tags.substr(0, tags.find(','));
    tags.remove_prefix(std::min(tags.size(), tag.size() + 1));
    tag = Trimmed(tag);
    if (tag == "*") return true;
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (IsQuoted(tag)) tag = tag.substr(1, tag.size() - 2);
    if (tag == wanted) return true;
  }
  return false;
}

}  // namespace decree::net

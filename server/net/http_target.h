// The request target taken apart: path, query, percent escapes, durations, entity tags. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "decree/result.h"
#include "kv/api/command.h"
#include "kv/base/time.h"

namespace decree::net {

// Exactly the bytes: %XX is a byte, everything else stands for itself ('+' is no space). Nullopt: a
// '%' without two hexadecimal digits.
std::optional<std::string> PercentDecode(std::string_view text);

struct Target {
  std::string_view path;                                   // still encoded
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::string_view raw_query;                              // as it came
};
// Takes "/a/b?x=y" and "http://host/a/b?x=y" apart; the views point into `text`.
Result<Target> ParseTarget(std::string_view text);
// Path and query again, in origin form, without the parameters of that name.
std::string WithoutParameter(const Target& target, std::string_view name);

// "500ms", "30s", "5m", "1h": above zero and up to ten years.
std::optional<Duration> ParseDuration(std::string_view text);

// The key in "/v1/kv/{key}": kInvalidArgument or kTooLarge say what is wrong with it.
Result<std::string> ParseKey(std::string_view encoded);

// What If-Match and If-None-Match ask of a write. A tag that no version can have (weak, or no
// number) becomes a version that never is: the log decides, and answers 412 with the current one.
Result<Condition> ParseCondition(const std::optional<std::string>& if_match,
                                 const std::optional<std::string>& if_none_match);
// Whether a list of tags names the version; compared weakly, as GET does. `*` names every one.
bool NamesVersion(std::string_view tags, std::uint64_t version);

}  // namespace decree::net

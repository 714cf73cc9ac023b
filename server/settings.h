// The table of decreed's settings and where their values come from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/config.h"

namespace decree {

enum class SettingKind { kText, kList, kNumber, kSwitch };

struct Setting {
  const char* name;  // as the flag, without its dashes
  SettingKind kind;
  const char* fallback;  // the default; empty: unset
  const char* placeholder;
  const char* help;
};
const std::vector<Setting>& AllSettings();

// The values of the environment and of a TOML file, by name of the setting.
using RawValues = std::map<std::string, std::vector<std::string>>;
RawValues FromEnvironment(const Environment& environment);
std::string EnvironmentName(const std::string& setting);  // "DECREE_ADVERTISE_HTTP"
Result<RawValues> FromFile(const std::string& path);

// "a,b" as a list of two; spaces around commas do not count.
std::vector<std::string> SplitList(const std::string& text);

std::string PrintSettings(const Settings& settings);

}  // namespace decree

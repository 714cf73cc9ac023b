#include "server/settings.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <sstream>

namespace decree {
namespace {

const Setting* FindSetting(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  for (const Setting& setting : AllSettings()) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

std::string Where(const std::string& path, const toml::node& node) {
  return path + ":" + std::to_string(node.source().begin.line);
}

Result<std::string> Scalar(const Setting& setting, const toml::node& node,
                           const std::string& where) {
  if (setting.kind == SettingKind::kNumber && node.is_integer()) {
    return std::to_string(node.as_integer()->get());
  }
  if (setting.kind == SettingKind::kSwitch && node.is_boolean()) {
    return std::string(node.as_boolean()->get() ? "true" : "false");
  }
  const bool wants_text = setting.kind == SettingKind::kText || setting.kind == SettingKind::kList;
  if (wants_text && node.is_string()) return node.as_string()->get();
  const char* wanted = setting.kind == SettingKind::kNumber   ? "a number"
                       : setting.kind == SettingKind::kSwitch ? "true or false"
                                                              : "a string";
  return Error(Errc::kInvalidArgument, where + ": '" + setting.name + "' must be " + wanted);
}

Result<std::vector<std::string>> Values(const Setting& setting, const toml::node& node,
                                        const std::string& path) {
  std::vector<std::string> values;
  if (setting.kind != SettingKind::kList || !node.is_array()) {
    auto value = Scalar(setting, node, Where(path, node));
    if (!value) return value.error();
    if (setting.kind == SettingKind::kList) return SplitList(*value);
    values.push_back(std::move(*value));
    return values;
  }
  for (const toml::node& element : *node.as_array()) {
    auto value = Scalar(setting, element, Where(path, element));
    if (!value) return value.error();
    values.push_back(std::move(*value));
  }
  return values;
}

// A string of TOML.
std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  char escaped[8];
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
      quoted += escaped;
    } else {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
  }
  return quoted + '"';
}

// "a,b" where that comes to the same list again, else an array.
std::string ShownList(const std::vector<std::string>& items) {
  std::string joined;
  std::string array;
  for (const std::string& item : items) {
    joined += (joined.empty() ? "" : ",") + item;
    array += (array.empty() ? "" : ", ") + Quoted(item);
  }
  return SplitList(joined) == items ? Quoted(joined) : '[' + array + ']';
}

// As TOML has it: numbers without zeros in front, and what is no number or switch in quotes.
std::string Shown(const Setting& setting, const std::vector<std::string>& values) {
  if (setting.kind == SettingKind::kList) return ShownList(values);
  const std::string& text = values.front();
  if (setting.kind == SettingKind::kText) return Quoted(text);
  if (setting.kind == SettingKind::kSwitch) {
    if (text == "0" || text == "1") return text == "1" ? "true" : "false";
    return text == "true" || text == "false" ? text : Quoted(text);
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole ? std::to_string(number) : Quoted(text);
}

// A comment ends with its line.
std::string OneLine(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

}  // namespace

const std::vector<Setting>& AllSettings() {
  using enum SettingKind;
  static const std::vector<Setting> kSettings = {
      {"data", kList, "", "DIR", "data directory, one a disk; repeat for more; created if absent"},
      {"listen", kText, "127.0.0.1:4740", "HOST:PORT", "port of peers and native clients"},
      {"http", kText, "127.0.0.1:4780", "HOST:PORT", "port of REST and metrics"},
      {"advertise", kText, "", "HOST:PORT", "what others dial instead of --listen"},
      {"advertise-http", kText, "", "HOST:PORT", "what others are told instead of --http"},
      {"join", kList, "", "HOST:PORT,...", "--listen addresses of other nodes"},
      {"name", kText, "", "NAME", "of this node, for people; default node-<id>"},
      {"zone", kText, "", "ZONE", "copies of a shard are spread over zones"},
      {"tls-cert", kText, "", "FILE", "certificate"},
      {"tls-key", kText, "", "FILE", "its private key"},
      {"tls-ca", kText, "", "FILE", "who signs the certificates of others"},
      {"auth-file", kText, "", "FILE", "tokens"},
      {"insecure", kSwitch, "false", "", "allow addresses other than loopback without TLS"},
      {"leases", kText, "on", "on|off", "reads without a round; off where clocks may stop"},
      {"heartbeat-ms", kNumber, "50", "MS", "how often a leader says that it lives"},
      {"election-min-ms", kNumber, "250", "MS", "without a leader for so long a replica campaigns"},
      {"election-max-ms", kNumber, "500", "MS", "or for so long, at random"},
      {"lease-ms", kNumber, "200", "MS", "of --leases; shorter than election-min-ms"},
      {"sleep-after-ms", kNumber, "10000", "MS", "an idle shard falls silent after this; 0: never"},
      {"shards", kNumber, "64", "N", "new cluster only: a power of two, 1..4096"},
      {"replicas", kNumber, "3", "N", "new cluster only: target copies of a shard: 1, 3 or 5"},
      {"bootstrap-expect", kNumber, "0", "N", "with --join: N nodes form the new cluster together"},
      {"ports-file", kText, "", "FILE", "written once this node listens and is registered"},
      {"log-level", kText, "info", "LEVEL", "debug, info, warn or error"},
      {"log-format", kText, "logfmt", "FORMAT", "logfmt or json"},
  };
  return kSettings;
}

std::string EnvironmentName(const std::string& setting) {
  std::string name = "DECREE_" + setting;
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return name;
}

std::vector<std::string> SplitList(const std::string& text) {
  std::vector<std::string> items;
  std::istringstream in(text);
  for (std::string item; std::getline(in, item, ',');) {
    const std::size_t begin = item.find_first_not_of(" \t");
    if (begin == std::string::npos) continue;
    items.push_back(item.substr(begin, item.find_last_not_of(" \t") - begin + 1));
  }
  return items;
}

RawValues FromEnvironment(const Environment& environment) {
  RawValues values;
  for (const Setting& setting : AllSettings()) {
    const char* text = environment(EnvironmentName(setting.name).c_str());
    if (text == nullptr) continue;
    values[setting.name] = setting.kind == SettingKind::kList
                               ? SplitList(text)
                               : std::vector<std::string>{std::string(text)};
  }
  return values;
}

Result<RawValues> FromFile(const std::string& path) {
  toml::table table;
  try {
    table = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    const auto line = error.source().begin.line;
    return Error(Errc::kInvalidArgument,
                 path + (line > 0 ? ":" + std::to_string(line) : std::string()) + ": " +
                     std::string(error.description()));
  }
  RawValues values;
  for (const auto& [key, node] : table) {
    const Setting* setting = FindSetting(std::string(key.str()));
    if (setting == nullptr) {
      return Error(Errc::kInvalidArgument,
                   Where(path, node) + ": unknown key '" + std::string(key.str()) + "'");
    }
    auto found = Values(*setting, node, path);
    if (!found) return found.error();
    values[setting->name] = std::move(*found);
  }
  return values;
}

std::string PrintSettings(const Settings& settings) {
  std::string text;
  for (const Setting& setting : AllSettings()) {
    const SettingValue& value = settings.at(setting.name);
    text += std::string(setting.name) + " = " + Shown(setting, value.values) + "  # " +
            OneLine(value.source) + "\n";
  }
  return text;
}

}  // namespace decree

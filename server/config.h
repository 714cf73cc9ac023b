// What decreed is told, and by whom: flag > environment (DECREE_LISTEN...) > file > default.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "decree/result.h"
#include "kv/base/log_sink.h"
#include "server/net/server.h"

namespace decree {

enum class LogFormat { kLogfmt, kJson };

struct DaemonConfig {
  net::ServerOptions server;  // without its callbacks
  // Settings that were given and matter to a new cluster only: "shards 32 (flag)".
  std::vector<std::string> for_new_cluster;
  std::string ports_file;
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kLogfmt;
};

// One setting as it came out, for --print-config.
struct SettingValue {
  std::vector<std::string> values;  // one, but for data and join
  std::string source;               // "flag", "environment DECREE_X", "file PATH", "default"
};
using Settings = std::map<std::string, SettingValue>;

// What the command line came to: a configuration to run with, or a text to print and an exit code
// (--version, --help, --print-config: 0; usage: 2).
struct ConfigOutcome {
  bool run = false;
  DaemonConfig config;
  int exit_code = 0;
  std::string text;  // for stdout when exit_code is 0, else for stderr
};

// Null: not set.
using Environment = std::function<const char*(const char*)>;
ConfigOutcome LoadConfig(const std::vector<std::string>& arguments, const Environment& environment);

}  // namespace decree

#include "server/config.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <utility>

#include "server/settings.h"

namespace decree {
namespace {

constexpr char kDefault[] = "default";  // the source of a value that nobody gave

// What the command line said.
struct Flags {
  RawValues values;
  std::string config_file;
  bool print_config = false;
};

ConfigOutcome Stop(int exit_code, std::string text) {
  ConfigOutcome outcome;
  outcome.exit_code = exit_code;
  outcome.text = std::move(text);
  return outcome;
}

ConfigOutcome Usage(const std::string& detail) { return Stop(2, "decreed: " + detail + "\n"); }

std::string ShownDefault(const Setting& setting) {
  if (*setting.fallback == '\0' || setting.kind == SettingKind::kSwitch) return {};
  return std::string(" [") + setting.fallback + "]";
}

void AddFlags(CLI::App& app, Flags& flags, std::map<std::string, bool>& switches) {
  for (const Setting& setting : AllSettings()) {
    const std::string flag = std::string("--") + setting.name;
    const std::string help = setting.help + ShownDefault(setting);
    if (setting.kind == SettingKind::kSwitch) {
      app.add_flag(flag, switches[setting.name], help);
      continue;
    }
    auto* option = app.add_option(flag, flags.values[setting.name], help);
    option->type_name(setting.placeholder)->allow_extra_args(false);
    if (setting.kind != SettingKind::kList) option->expected(1);
    if (std::string_view(setting.name) == "join") option->delimiter(',');
  }
  app.add_option("--config", flags.config_file, "TOML file with these settings as keys")
      ->type_name("FILE.toml");
  app.add_flag("--print-config", flags.print_config,
               "print every value and where it came from, then end");
  app.set_version_flag("--version", "decreed " DECREE_VERSION);
}

// Nullopt: parsed. Else help, version or a usage error, as CLI11 words it.
std::optional<ConfigOutcome> ParseFlags(std::vector<std::string> arguments, Flags* flags) {
  CLI::App app{"decreed: one node of a Decree cluster"};
  std::map<std::string, bool> switches;
  AddFlags(app, *flags, switches);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes a vector
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    const bool wanted = app.exit(error, out, err) == 0;
    return wanted ? Stop(0, out.str()) : Stop(2, "decreed: " + err.str());
  }
  for (const Setting& setting : AllSettings()) {
    const bool given = app.count(std::string("--") + setting.name) > 0;
    if (!given) {
      flags->values.erase(setting.name);
    } else if (setting.kind == SettingKind::kSwitch) {
      flags->values[setting.name] = {switches[setting.name] ? "true" : "false"};
    }
  }
  return std::nullopt;
}

Settings Merge(const RawValues& flags, const RawValues& environment, const RawValues& file,
               const std::string& file_path) {
  Settings settings;
  for (const Setting& setting : AllSettings()) {
    SettingValue& value = settings[setting.name];
    const auto take = [&](const RawValues& from, const std::string& source) {
      const auto found = from.find(setting.name);
      if (found == from.end()) return false;
      value = {found->second, source};
      return true;
    };
    if (take(flags, "flag") || take(environment, "environment " + EnvironmentName(setting.name)) ||
        take(file, "file " + file_path)) {
      continue;
    }
    value.source = kDefault;
    if (setting.kind != SettingKind::kList) value.values = {setting.fallback};
  }
  return settings;
}

const std::string& Text(const Settings& settings, const char* name) {
  static const std::string kEmpty;
  const auto& values = settings.at(name).values;
  return values.empty() ? kEmpty : values.front();
}

Error Wrong(const Settings& settings, const char* name, const std::string& wanted) {
  return {Errc::kInvalidArgument, std::string(name) + " (" + settings.at(name).source + "): '" +
                                      Text(settings, name) + "' is not " + wanted};
}

Status SetNumber(const Settings& settings, const char* name, std::uint32_t* number) {
  const std::string& text = Text(settings, name);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Wrong(settings, name, "a number");
  }
  return {};
}

Status SetMillis(const Settings& settings, const char* name, Duration* duration) {
  std::uint32_t number = 0;
  const Status status = SetNumber(settings, name, &number);
  if (status) *duration = milliseconds(number);
  return status;
}

Status SetSwitch(const Settings& settings, const char* name, bool* flag) {
  const std::string& text = Text(settings, name);
  *flag = text == "true" || text == "1";
  if (!*flag && text != "false" && text != "0") return Wrong(settings, name, "true or false");
  return {};
}

Status SetOnOff(const Settings& settings, const char* name, bool* flag) {
  const std::string& text = Text(settings, name);
  *flag = text == "on";
  if (!*flag && text != "off") return Wrong(settings, name, "on or off");
  return {};
}

Status SetLog(const Settings& settings, DaemonConfig* config) {
  static const std::map<std::string, LogLevel> kLevels = {{"debug", LogLevel::kDebug},
                                                          {"info", LogLevel::kInfo},
                                                          {"warn", LogLevel::kWarn},
                                                          {"error", LogLevel::kError}};
  const auto level = kLevels.find(Text(settings, "log-level"));
  if (level == kLevels.end()) {
    return Wrong(settings, "log-level", "debug, info, warn or error");
  }
  config->log_level = level->second;
  const std::string& format = Text(settings, "log-format");
  if (format != "logfmt" && format != "json")
    return Wrong(settings, "log-format", "logfmt or json");
  config->log_format = format == "json" ? LogFormat::kJson : LogFormat::kLogfmt;
  return {};
}

Result<DaemonConfig> ToConfig(const Settings& settings) {
  for (const char* name : {"tls-cert", "tls-key", "tls-ca", "auth-file"}) {
    if (Text(settings, name).empty()) continue;
    return Error(Errc::kInvalidArgument,
                 std::string(name) + " (" + settings.at(name).source +
                     "): this version has no TLS and no tokens; it would not protect anything");
  }
  DaemonConfig config;
  net::ServerOptions& server = config.server;
  server.dirs = settings.at("data").values;
  if (server.dirs.empty()) return Error(Errc::kInvalidArgument, "--data DIR is needed");
  server.listen = Text(settings, "listen");
  server.http = Text(settings, "http");
  server.advertise = Text(settings, "advertise");
  server.advertise_http = Text(settings, "advertise-http");
  server.join = settings.at("join").values;
  server.name = Text(settings, "name");
  server.zone = Text(settings, "zone");
  config.ports_file = Text(settings, "ports-file");
  for (const Status& status :
       {SetSwitch(settings, "insecure", &server.insecure),
        SetOnOff(settings, "leases", &server.consensus.leases),
        SetMillis(settings, "heartbeat-ms", &server.consensus.heartbeat),
        SetMillis(settings, "election-min-ms", &server.consensus.election_min),
        SetMillis(settings, "election-max-ms", &server.consensus.election_max),
        SetMillis(settings, "lease-ms", &server.consensus.lease),
        SetMillis(settings, "sleep-after-ms", &server.consensus.sleep_after),
        SetNumber(settings, "shards", &server.shards),
        SetNumber(settings, "replicas", &server.replicas),
        SetNumber(settings, "bootstrap-expect", &server.bootstrap_expect),
        SetLog(settings, &config)}) {
    if (!status) return status.error();
  }
  for (const char* name : {"shards", "replicas"}) {
    const std::string& source = settings.at(name).source;
    if (source == kDefault) continue;
    config.for_new_cluster.push_back(std::string(name) + " " + Text(settings, name) + " (" +
                                     source + ")");
  }
  const Status sensible = net::CheckOptions(server);
  if (!sensible) return sensible.error();
  return config;
}

}  // namespace

ConfigOutcome LoadConfig(const std::vector<std::string>& arguments,
                         const Environment& environment) {
  Flags flags;
  if (auto stop = ParseFlags(arguments, &flags)) return std::move(*stop);
  if (flags.config_file.empty()) {
    if (const char* path = environment("DECREE_CONFIG")) flags.config_file = path;
  }
  Result<RawValues> file = RawValues{};
  if (!flags.config_file.empty()) file = FromFile(flags.config_file);
  if (!file) return Usage(file.error().detail());
  const Settings settings =
      Merge(flags.values, FromEnvironment(environment), *file, flags.config_file);
  if (flags.print_config) return Stop(0, PrintSettings(settings));
  auto config = ToConfig(settings);
  if (!config) return Usage(config.error().detail());
  ConfigOutcome outcome;
  outcome.run = true;
  outcome.config = std::move(*config);
  return outcome;
}

}  // namespace decree

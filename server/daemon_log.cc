#include "server/daemon_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>

namespace decree {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view Name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

// As JSON writes a string; logfmt reads the same.
std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

std::string Timestamp() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<time_t>(ms / 1000)),
                     ms % 1000);
}

}  // namespace

std::string FormatLogLine(LogFormat format, LogLevel level, std::string_view time,
                          std::string_view message) {
  if (format == LogFormat::kJson) {
    return fmt::format(R"({{"ts":"{}","level":"{}","msg":{}}})", time, Name(level),
                       Quoted(message));
  }
  return fmt::format("ts={} level={} msg={}", time, Name(level), Quoted(message));
}

LogSink OpenDaemonLog(LogFormat format, LogLevel level) {
  auto logger = spdlog::stderr_logger_mt("decreed");
  logger->set_pattern("%v");
  logger->flush_on(spdlog::level::debug);
  logger->set_level(ToSpdlog(level));
  return [logger, format](LogLevel at, std::string_view message) {
    if (!logger->should_log(ToSpdlog(at))) return;
    logger->log(ToSpdlog(at), FormatLogLine(format, at, Timestamp(), message));
  };
}

void SetDaemonLogLevel(LogLevel level) {
  if (const auto logger = spdlog::get("decreed")) logger->set_level(ToSpdlog(level));
}

}  // namespace decree

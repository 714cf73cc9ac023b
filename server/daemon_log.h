// decreed's log: one line an event on stderr, as logfmt or JSON, UTC with milliseconds.
#pragma once

#include "kv/base/log_sink.h"
#include "server/config.h"

namespace decree {

// Thread-safe; lives as long as the process.
LogSink OpenDaemonLog(LogFormat format, LogLevel level);
void SetDaemonLogLevel(LogLevel level);

// One line without its newline; for tests.
std::string FormatLogLine(LogFormat format, LogLevel level, std::string_view time,
                          std::string_view message);

}  // namespace decree

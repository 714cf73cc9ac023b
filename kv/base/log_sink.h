// Where log lines go: libraries take this callback, only the daemons bring a logger. Never called on
// a hot path. The callback must be thread-safe.
#pragma once

#include <functional>
#include <string_view>

namespace decree {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
using LogSink = std::function<void(LogLevel, std::string_view)>;

}  // namespace decree

// Where log lines go: Decree's libraries never print, they call this. The callback is thread-safe
// and quick; it is never called on the path of a single read or write.
#pragma once

#include <functional>
#include <string_view>

namespace decree {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
// The line is text without a newline, valid during the call only.
using LogSink = std::function<void(LogLevel, std::string_view)>;

}  // namespace decree

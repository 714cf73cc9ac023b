// "host:port" and "[v6]:port".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "decree/result.h"

namespace decree::net {

struct HostPort {
  std::string host;  // without brackets
  std::uint16_t port = 0;
};

Result<HostPort> ParseHostPort(std::string_view text);  // kInvalidArgument naming the text
std::string ToString(const HostPort& address);          // brackets around a v6 host
bool IsLoopback(const HostPort& address);               // 127.0.0.0/8, ::1, localhost

}  // namespace decree::net

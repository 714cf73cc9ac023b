// What the HTTP door counts. One object a worker, used on it only; /metrics merges copies.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "kv/base/histogram.h"

namespace decree::net {

struct HttpMetrics {
  std::array<std::uint64_t, 600> by_status{};
  Histogram reads;   // GET and HEAD of keys, from the request to its answer
  Histogram writes;  // PUT and DELETE of keys
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t connections = 0;  // open now

  void Merge(const HttpMetrics& other);
};

// Prometheus text format, version 0.0.4.
std::string ToPrometheus(const HttpMetrics& metrics, double uptime_seconds,
                         std::string_view version, std::uint64_t node, bool ready);

}  // namespace decree::net

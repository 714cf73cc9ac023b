#include "server/net/http_metrics.h"

#include <cstdio>

namespace decree::net {
namespace {

struct Bound {
  const char* label;
  std::int64_t ns;
};
constexpr Bound kBounds[] = {
    {"0.0001", 100'000},   {"0.00025", 250'000},   {"0.0005", 500'000},   {"0.001", 1'000'000},
    {"0.0025", 2'500'000}, {"0.005", 5'000'000},   {"0.01", 10'000'000},  {"0.025", 25'000'000},
    {"0.05", 50'000'000},  {"0.1", 100'000'000},   {"0.25", 250'000'000}, {"0.5", 500'000'000},
    {"1", 1'000'000'000},  {"2.5", 2'500'000'000}, {"5", 5'000'000'000},
};

std::string Seconds(double seconds) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6f", seconds);
  return text;
}

class Text {
 public:
  void Family(const char* name, const char* type, const char* help) {
    out_ += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
  }
  void Sample(const std::string& series, const std::string& value) {
    out_ += series + " " + value + "\n";
  }
  void Latency(const char* operation, const Histogram& histogram) {
    const std::string name = "decree_http_kv_duration_seconds";
    const std::string label = std::string("{op=\"") + operation + "\"";
    for (const Bound& bound : kBounds) {
      Sample(name + "_bucket" + label + ",le=\"" + bound.label + "\"}",
             std::to_string(histogram.CountUpTo(bound.ns)));
    }
    Sample(name + "_bucket" + label + ",le=\"+Inf\"}", std::to_string(histogram.count()));
    Sample(name + "_sum" + label + "}", Seconds(static_cast<double>(histogram.sum()) * 1e-9));
    Sample(name + "_count" + label + "}", std::to_string(histogram.count()));
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace

void HttpMetrics::Merge(const HttpMetrics& other) {
  for (std::size_t i = 0; i < by_status.size(); ++i) by_status[i] += other.by_status[i];
  reads.Merge(other.reads);
  writes.Merge(other.writes);
  bytes_in += other.bytes_in;
  bytes_out += other.bytes_out;
  connections += other.connections;
}

std::string ToPrometheus(const HttpMetrics& metrics, double uptime_seconds,
                         std::string_view version, std::uint64_t node, bool ready) {
  Text text;
  text.Family("decree_build_info", "gauge", "Which version runs as which node.");
  text.Sample("decree_build_info{version=\"" + std::string(version) + "\",node=\"" +
                  std::to_string(node) + "\"}",
              "1");
  text.Family("decree_ready", "gauge", "1 while /readyz answers 200.");
  text.Sample("decree_ready", ready ? "1" : "0");
  text.Family("decree_uptime_seconds", "gauge", "Since the HTTP port was opened.");
  text.Sample("decree_uptime_seconds", Seconds(uptime_seconds));
  text.Family("decree_http_requests_total", "counter", "Answers by status.");
  for (std::size_t status = 0; status < metrics.by_status.size(); ++status) {
    if (metrics.by_status[status] == 0) continue;
    text.Sample("decree_http_requests_total{code=\"" + std::to_string(status) + "\"}",
                std::to_string(metrics.by_status[status]));
  }
  text.Family("decree_http_received_bytes_total", "counter", "Bytes read from HTTP clients.");
  text.Sample("decree_http_received_bytes_total", std::to_string(metrics.bytes_in));
  text.Family("decree_http_sent_bytes_total", "counter", "Bytes written to HTTP clients.");
  text.Sample("decree_http_sent_bytes_total", std::to_string(metrics.bytes_out));
  text.Family("decree_http_connections", "gauge", "Open HTTP connections.");
  text.Sample("decree_http_connections", std::to_string(metrics.connections));
  text.Family("decree_http_kv_duration_seconds", "histogram",
              "Time from a request for a key to its answer.");
  text.Latency("read", metrics.reads);
  text.Latency("write", metrics.writes);
  return text.Take();
}

}  // namespace decree::net

// decree://host:port,host:port/?timeout=500ms, by hand: URI grammars know only one host.
#include <charconv>
#include <cmath>

#include "decree/client.h"

namespace decree {
namespace {

constexpr std::string_view kScheme = "decree://";
constexpr std::string_view kDefaultPort = "4740";

Error Bad(std::string_view what, std::string_view text) {
  return Error(Errc::kInvalidArgument, std::string(what) + ": '" + std::string(text) + "'");
}

bool IsPort(std::string_view text) {
  unsigned port = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), port);
  return code == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

// host, host:port, [v6], [v6]:port -> host:port
Result<std::string> ParseEndpoint(std::string_view text) {
  std::size_t host_end = 0;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return Bad("no ']' after the IPv6 address", text);
    host_end = close + 1;
  } else {
    host_end = std::min(text.find(':'), text.size());
  }
  if (host_end == 0) return Bad("an endpoint without a host", text);
  const std::string_view host = text.substr(0, host_end);
  std::string_view port = text.substr(host_end);
  if (port.empty()) return std::string(host) + ":" + std::string(kDefaultPort);
  port.remove_prefix(1);
  if (text[host_end] != ':' || !IsPort(port)) return Bad("a port is 1..65535", text);
  return std::string(host) + ":" + std::string(port);
}

Status ParseEndpoints(std::string_view list, ClientOptions& options) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    auto endpoint = ParseEndpoint(list.substr(0, comma));
    if (!endpoint) return endpoint.error();
    options.endpoints.push_back(std::move(*endpoint));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  if (options.endpoints.empty()) return Error(Errc::kInvalidArgument, "no endpoint in the URI");
  return {};
}

Status ParseQuery(std::string_view query, ClientOptions& options) {
  while (!query.empty()) {
    const auto amp = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, amp);
    query.remove_prefix(std::min(amp + 1, query.size()));
    const auto equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) != "timeout") return Bad("an unknown URI option", pair);
    auto timeout = ParseDuration(pair.substr(std::min(equals + 1, pair.size())));
    if (!timeout) return timeout.error();
    options.timeout = *timeout;
  }
  return {};
}

}  // namespace

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  double number = 0;
  const auto [end, code] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  double factor = 0;
  if (unit == "ms") factor = 1;
  if (unit == "s") factor = 1000;
  if (unit == "m") factor = 60'000;
  if (unit == "h") factor = 3'600'000;
  const double ms = std::round(number * factor);
  if (code != std::errc{} || !(ms >= 1) || ms > 1e12) {
    return Bad("not a time above zero such as 500ms, 2s or 10m", text);
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(ms));
}

Result<ClientOptions> ParseClientUri(std::string_view uri) {
  if (!uri.starts_with(kScheme)) {
    return Bad("not a URI of the form decree://host:port,host:port/?timeout=500ms", uri);
  }
  const std::string_view rest = uri.substr(kScheme.size());
  const auto authority_end = std::min(rest.find_first_of("/?"), rest.size());
  ClientOptions options;
  if (auto ok = ParseEndpoints(rest.substr(0, authority_end), options); !ok) return ok.error();
  std::string_view tail = rest.substr(authority_end);
  if (tail.starts_with('/')) tail.remove_prefix(1);
  if (tail.empty()) return options;
  if (!tail.starts_with('?')) return Bad("a path means nothing here", tail);
  if (auto ok = ParseQuery(tail.substr(1), options); !ok) return ok.error();
  return options;
}

}  // namespace decree

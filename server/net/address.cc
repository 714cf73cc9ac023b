#include "server/net/address.h"

#include <charconv>

#include "server/net/asio.h"

namespace decree::net {
namespace {

Error Malformed(std::string_view text) {
  return {Errc::kInvalidArgument, std::string("'").append(text).append("' is not HOST:PORT")};
}

}  // namespace

Result<HostPort> ParseHostPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Malformed(text);
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Malformed(text);  // a v6 address without brackets: where would it end?
  }
  HostPort address{std::string(host), 0};
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  if (host.empty() || digits.empty() || !whole) return Malformed(text);
  return address;
}

std::string ToString(const HostPort& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  const std::string port = std::to_string(address.port);
  std::string text(v6 ? "[" : "");
  return text.append(address.host).append(v6 ? "]:" : ":").append(port);
}

bool IsLoopback(const HostPort& address) {
  if (address.host == "localhost") return true;
  boost::system::error_code error;
  const auto parsed = asio::ip::make_address(address.host, error);
  return !error && parsed.is_loopback();
}

}  // namespace decree::net

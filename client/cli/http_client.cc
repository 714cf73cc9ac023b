#include "client/cli/http_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace decree::cli {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using ErrorCode = boost::system::error_code;

struct HttpClient::Impl {
  Impl(std::string name, std::uint16_t number, std::chrono::milliseconds patience)
      : host(std::move(name)), port(number), timeout(patience) {}

  // Runs one asynchronous operation to its end, so that the stream's timeout applies to it.
  template <class Start>
  ErrorCode Await(Start start) {
    ErrorCode result;
    start([&result](const ErrorCode& code, auto&&...) { result = code; });
    io.restart();
    io.run();
    return result;
  }

  Status Connect() {
    if (stream) return {};
    ErrorCode code;
    const auto address = asio::ip::make_address(host, code);
    if (code) return Error(Errc::kInvalidArgument, "not an address: " + host);
    stream.emplace(io);
    buffer.clear();
    stream->expires_after(timeout);
    code = Await(
        [&](auto done) { stream->async_connect(asio::ip::tcp::endpoint(address, port), done); });
    if (!code) stream->socket().set_option(asio::ip::tcp::no_delay(true), code);
    if (!code) return {};
    stream.reset();
    return Error(Errc::kUnavailable, "cannot connect: " + code.message());
  }

  const std::string host;
  const std::uint16_t port;
  const std::chrono::milliseconds timeout;
  asio::io_context io{1};
  std::optional<beast::tcp_stream> stream;
  beast::flat_buffer buffer;
};

HttpClient::HttpClient(std::string host, std::uint16_t port, std::chrono::milliseconds timeout)
    : impl_(std::make_unique<Impl>(std::move(host), port, timeout)) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;

Result<HttpReply> HttpClient::Send(std::string_view method, const std::string& target,
                                   const std::string& body) {
  if (auto ok = impl_->Connect(); !ok) return ok.error();
  http::request<http::string_body> request;
  request.version(11);
  request.method_string({method.data(), method.size()});
  request.target(target);
  request.set(http::field::host, impl_->host);
  request.body() = body;
  request.prepare_payload();
  http::response_parser<http::string_body> parser;
  parser.body_limit(std::uint64_t{256} << 20);
  impl_->stream->expires_after(impl_->timeout);
  ErrorCode code =
      impl_->Await([&](auto done) { http::async_write(*impl_->stream, request, done); });
  if (!code) {
    code = impl_->Await(
        [&](auto done) { http::async_read(*impl_->stream, impl_->buffer, parser, done); });
  }
  const bool keep = !code && parser.keep_alive();
  if (!keep) impl_->stream.reset();
  if (code) return Error(Errc::kOutcomeUnknown, "no answer: " + code.message());
  return HttpReply{parser.get().result_int(), std::move(parser.get().body())};
}

std::string KeyTarget(std::string_view key) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string target = "/v1/kv/";
  for (const char c : key) {
    if (kPlain.find(c) != std::string_view::npos) {
      target += c;
      continue;
    }
    target += '%';
    target += kDigits[static_cast<unsigned char>(c) >> 4];
    target += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return target;
}

}  // namespace decree::cli

// Turns bytes into requests, with Beast's parser: one object a request. Bodies over the limit are
// read and dropped, so that the client gets to read its 413.
#pragma once

#include "server/net/asio.h"
#include "server/net/http_message.h"

namespace decree::net {

struct HttpLimits {
  std::size_t target_bytes = 8000;
  std::uint32_t header_bytes = 16 * 1024;
  std::uint64_t body_bytes = std::uint64_t{1} << 20;
  std::uint64_t drained_bytes = std::uint64_t{64} << 20;  // beyond: answered and closed at once
};

class HttpParser final : private boost::beast::http::basic_parser<true> {
 public:
  explicit HttpParser(const HttpLimits& limits);

  enum class State { kNeedMore, kDone, kRefused };
  struct Fed {
    State state;
    std::size_t used;  // bytes; what is left must be offered again, with more
  };
  Fed Feed(std::string_view bytes);

  bool header_done() const { return header_done_; }
  bool expects_continue() const { return expects_continue_ && !request_.too_large; }
  HttpRequest TakeRequest() { return std::move(request_); }
  const HttpResponse& refusal() const { return refusal_; }  // kRefused; then close

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;
  using Field = boost::beast::http::field;

  void on_request_impl(boost::beast::http::verb verb, string_view method, string_view target,
                       int version, error_code& error) override;
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(Field field, string_view name, string_view value, error_code& error) override;
  void on_header_impl(error_code& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override;
  std::size_t on_body_impl(string_view bytes, error_code& error) override;
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t left, string_view bytes, error_code& error) override;
  void on_finish_impl(error_code&) override {}

  void Refuse(HttpResponse response, error_code& error);
  void RefuseFor(const error_code& error, std::string_view bytes);

  const HttpLimits& limits_;
  HttpRequest request_;
  HttpResponse refusal_;
  bool refused_ = false;
  bool header_done_ = false;
  bool expects_continue_ = false;
  int hosts_ = 0;
  std::uint64_t body_seen_ = 0;
};

}  // namespace decree::net

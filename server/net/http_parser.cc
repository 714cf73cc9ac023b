#include "server/net/http_parser.h"

#include <boost/beast/core/string.hpp>
#include <utility>

namespace decree::net {
namespace {

namespace http = boost::beast::http;

Verb ToVerb(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Verb::kGet;
    case http::verb::head:
      return Verb::kHead;
    case http::verb::put:
      return Verb::kPut;
    case http::verb::delete_:
      return Verb::kDelete;
    case http::verb::post:
      return Verb::kPost;
    case http::verb::patch:
      return Verb::kPatch;
    default:
      return Verb::kOther;
  }
}

HttpResponse TooLarge(std::uint64_t limit) {
  return ErrorResponse(Errc::kTooLarge, "the body exceeds " + std::to_string(limit) + " bytes");
}

}  // namespace

HttpParser::HttpParser(const HttpLimits& limits) : limits_(limits) {
  header_limit(limits.header_bytes);
  body_limit(boost::none);  // counted here, so that a long body can be drained
  eager(true);
}

HttpParser::Fed HttpParser::Feed(std::string_view bytes) {
  error_code error;
  const std::size_t used = put(asio::buffer(bytes.data(), bytes.size()), error);
  if (error && error != http::error::need_more) {
    if (!refused_) RefuseFor(error, bytes);
    return {State::kRefused, used};
  }
  return {is_done() ? State::kDone : State::kNeedMore, used};
}

void HttpParser::RefuseFor(const error_code& error, std::string_view bytes) {
  error_code ignored;
  if (error != http::error::header_limit) {
    return Refuse(BadRequest("this is no HTTP request: " + error.message()), ignored);
  }
  // Within the first line, it is the target that is too long.
  if (request_.method.empty() && bytes.find('\n') == std::string_view::npos) {
    return Refuse(ToResponse({414, "too_large", "the target is too long"}), ignored);
  }
  Refuse(ToResponse({431, "too_large",
                     "the header exceeds " + std::to_string(limits_.header_bytes) + " bytes"}),
         ignored);
}

void HttpParser::Refuse(HttpResponse response, error_code& error) {
  refused_ = true;
  refusal_ = std::move(response);
  refusal_.close = true;
  error = http::error::bad_value;
}

void HttpParser::on_request_impl(http::verb verb, string_view method, string_view target,
                                 int version, error_code& error) {
  request_.verb = ToVerb(verb);
  request_.method.assign(method.data(), method.size());
  request_.target.assign(target.data(), target.size());
  request_.http10 = version < 11;
  if (target.size() > limits_.target_bytes) {
    Refuse(ToResponse({414, "too_large", "the target is too long"}), error);
  }
}

void HttpParser::on_field_impl(Field field, string_view, string_view value, error_code& error) {
  const auto text = [&value] { return std::string(value.data(), value.size()); };
  switch (field) {
    case Field::host:
      ++hosts_;
      break;
    case Field::if_match:
      request_.if_match = request_.if_match ? *request_.if_match + ", " + text() : text();
      break;
    case Field::if_none_match:
      request_.if_none_match =
          request_.if_none_match ? *request_.if_none_match + ", " + text() : text();
      break;
    case Field::expect:
      expects_continue_ = boost::beast::iequals(value, "100-continue");
      if (!expects_continue_) {
        Refuse(ToResponse(
                   {417, ErrcName(Errc::kInvalidArgument), "only 100-continue can be expected"}),
               error);
      }
      break;
    case Field::transfer_encoding:
      if (!boost::beast::iequals(value, "chunked")) {
        Refuse(ToResponse({501, "not_implemented", "Transfer-Encoding: chunked only"}), error);
      }
      break;
    default:
      break;
  }
}

void HttpParser::on_header_impl(error_code& error) {
  header_done_ = true;
  const auto length = content_length();
  request_.has_length = length.has_value() || chunked();
  request_.keep_alive = keep_alive();
  if (hosts_ > 1 || (hosts_ == 0 && !request_.http10)) {
    return Refuse(BadRequest("HTTP/1.1 needs one Host field"), error);
  }
  if (!length || *length <= limits_.body_bytes) return;
  request_.too_large = true;
  // Who waits for leave to send is told at once; who sends endlessly, too.
  if (expects_continue_ || *length > limits_.drained_bytes) {
    Refuse(TooLarge(limits_.body_bytes), error);
  }
}

void HttpParser::on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) {
  if (length && !request_.too_large) request_.body.reserve(*length);
}

std::size_t HttpParser::on_body_impl(string_view bytes, error_code& error) {
  body_seen_ += bytes.size();
  if (body_seen_ > limits_.drained_bytes) {
    Refuse(TooLarge(limits_.body_bytes), error);
  } else if (request_.too_large || body_seen_ > limits_.body_bytes) {
    request_.too_large = true;
    std::string().swap(request_.body);
  } else {
    request_.body.append(bytes.data(), bytes.size());
  }
  return bytes.size();
}

std::size_t HttpParser::on_chunk_body_impl(std::uint64_t, string_view bytes, error_code& error) {
  return on_body_impl(bytes, error);
}

}  // namespace decree::net

// One HTTP request as the doors see it, and one answer.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "decree/result.h"

namespace decree::net {

enum class Verb { kGet, kHead, kPut, kDelete, kPost, kPatch, kOther };

struct HttpRequest {
  Verb verb = Verb::kOther;
  std::string method;  // as it was written
  std::string target;
  std::optional<std::string> if_match;
  std::optional<std::string> if_none_match;
  std::string body;
  bool has_length = false;  // Content-Length or chunked
  bool too_large = false;   // the body was read and dropped
  bool keep_alive = true;
  bool http10 = false;
  bool safe() const { return verb == Verb::kGet || verb == Verb::kHead; }
};

struct HttpResponse {
  int status = 200;
  std::string fields;  // "Name: value\r\n"...
  std::string content_type;
  std::string body;
  bool close = false;

  void AddField(std::string_view name, std::string_view value);
};
using HttpDone = std::function<void(HttpResponse)>;  // once

// problem+json (RFC 9457) with code, retryable and outcome.
struct Problem {
  int status = 500;
  std::string_view code;
  std::string detail;
  bool retryable = false;
  std::string_view outcome = "not_applied";
};
HttpResponse ToResponse(const Problem& problem);
HttpResponse ErrorResponse(Errc code, std::string detail);  // with the status that fits the code
HttpResponse BadRequest(std::string detail);
HttpResponse MethodNotAllowed(std::string_view method, std::string_view allow);
HttpResponse NotFoundRoute(std::string_view path);

std::string_view StatusText(int status);

struct Framing {
  bool head = false;  // the answer to HEAD has the length of the body, but no body
  bool keep_alive = true;
  bool http10 = false;
  std::string_view date;  // IMF-fixdate
};
void AppendResponse(std::string& out, const HttpResponse& response, const Framing& framing);

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string HttpDate(std::uint64_t wall_ms);

}  // namespace decree::net

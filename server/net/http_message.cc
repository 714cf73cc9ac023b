#include "server/net/http_message.h"

#include <time.h>

#include <array>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "kv/base/utf8.h"

namespace decree::net {
namespace {

int StatusOf(Errc code) {
  switch (code) {
    case Errc::kOk:
      return 200;
    case Errc::kNotFound:
      return 404;
    case Errc::kPreconditionFailed:
      return 412;
    case Errc::kUnavailable:
    case Errc::kDeadlineExceeded:
    case Errc::kShuttingDown:
    case Errc::kNotLeader:
    case Errc::kStaleMap:
    case Errc::kCancelled:
      return 503;
    case Errc::kOutcomeUnknown:
      return 504;
    case Errc::kTooLarge:
      return 413;
    case Errc::kInvalidArgument:
      return 400;
    case Errc::kSessionExpired:
    case Errc::kConflict:
      return 409;
    case Errc::kBusy:
      return 429;
    case Errc::kImpossible:
      return 422;
    case Errc::kNoSpace:
      return 507;
    case Errc::kUnauthorized:
      return 401;
    case Errc::kCorruption:
    case Errc::kIo:
    case Errc::kWrongCluster:
    case Errc::kLocked:
      return 500;
  }
  return 500;
}

}  // namespace

std::string_view StatusText(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 27> kTexts = {{
      {100, "Continue"},
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {417, "Expectation Failed"},
      {422, "Unprocessable Content"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
      {507, "Insufficient Storage"},
  }};
  for (const auto& [code, text] : kTexts) {
    if (code == status) return text;
  }
  return "Unknown";
}

void HttpResponse::AddField(std::string_view name, std::string_view value) {
  fields.append(name).append(": ").append(value).append("\r\n");
}

HttpResponse ToResponse(const Problem& problem) {
  HttpResponse response;
  response.status = problem.status;
  response.content_type = "application/problem+json";
  response.body =
      ToUtf8(boost::json::serialize(boost::json::value{{"title", StatusText(problem.status)},
                                                       {"status", problem.status},
                                                       {"detail", problem.detail},
                                                       {"code", problem.code},
                                                       {"retryable", problem.retryable},
                                                       {"outcome", problem.outcome}}));
  response.body.push_back('\n');
  if (problem.status == 503 || problem.status == 429) response.AddField("Retry-After", "1");
  return response;
}

HttpResponse ErrorResponse(Errc code, std::string detail) {
  const bool unknown = code == Errc::kOutcomeUnknown;
  return ToResponse({StatusOf(code), ErrcName(code), std::move(detail), IsRetryable(code),
                     unknown ? "unknown" : "not_applied"});
}

HttpResponse BadRequest(std::string detail) {
  return ErrorResponse(Errc::kInvalidArgument, std::move(detail));
}

HttpResponse MethodNotAllowed(std::string_view method, std::string_view allow) {
  HttpResponse response = ToResponse(
      {405, "method_not_allowed", std::string(method) + " is not among " + std::string(allow)});
  response.AddField("Allow", allow);
  return response;
}

HttpResponse NotFoundRoute(std::string_view path) {
  return ToResponse({404, "no_such_route", "nothing is served at " + std::string(path)});
}

void AppendResponse(std::string& out, const HttpResponse& response, const Framing& framing) {
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  out.append(StatusText(response.status)).append("\r\nDate: ").append(framing.date);
  out.append("\r\n").append(response.fields);
  if (!response.content_type.empty()) {
    out.append("Content-Type: ").append(response.content_type).append("\r\n");
  }
  const bool bodyless = response.status == 204 || response.status == 304;
  if (!bodyless) {
    out.append("Content-Length: ").append(std::to_string(response.body.size())).append("\r\n");
  }
  if (!framing.keep_alive) {
    out.append("Connection: close\r\n");
  } else if (framing.http10) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
  if (!bodyless && !framing.head) out.append(response.body);
}

std::string HttpDate(std::uint64_t wall_ms) {
  const auto seconds = static_cast<time_t>(wall_ms / 1000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  const std::size_t size = strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, size};
}

}  // namespace decree::net

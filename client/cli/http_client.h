// One kept-alive HTTP connection, one request at a time. One thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "decree/result.h"

namespace decree::cli {

struct HttpReply {
  unsigned status = 0;
  std::string body;
};

class HttpClient {
 public:
  HttpClient(std::string host, std::uint16_t port, std::chrono::milliseconds timeout);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;

  // Connects when needed. kUnavailable: no connection; kOutcomeUnknown: sent and not answered.
  Result<HttpReply> Send(std::string_view method, const std::string& target,
                         const std::string& body = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// "/v1/kv/" and the key, percent-encoded.
std::string KeyTarget(std::string_view key);

}  // namespace decree::cli

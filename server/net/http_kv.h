// /v1/kv/{key}: requests to operations, results to answers. Pure but for the call to the node.
#pragma once

#include "kv/api/caller.h"
#include "server/net/http_message.h"
#include "server/net/http_target.h"

namespace decree::net {

inline constexpr std::string_view kKvPrefix = "/v1/kv/";
inline constexpr std::string_view kKvAllow = "GET, HEAD, PUT, DELETE";

Error BadParameter(const std::string& name, const std::string& value, const char* wanted);
// ?timeout= of any request.
Result<Duration> ParseTimeout(const std::string& value);

// ?consistency= and ?max_staleness= of a read. A bounded staleness is met by a linearizable read,
// which is never stale.
class ReadBound {
 public:
  // Whether it is one of the two; kInvalidArgument if it is and its value makes no sense.
  Result<bool> Take(const std::string& name, const std::string& value);
  Consistency consistency() const {
    return stale_ && !bounded_ ? Consistency::kStale : Consistency::kLinearizable;
  }

 private:
  bool stale_ = false;
  bool bounded_ = false;
};

// The operation a request asks for, or why it is none (kInvalidArgument, kTooLarge).
struct KvRequest {
  Operation operation;
  std::optional<std::string> if_match;  // of GET and HEAD: compared with what was read
  std::optional<std::string> if_none_match;
};
Result<KvRequest> ParseKvRequest(HttpRequest& request, const Target& target);

HttpResponse KvResponse(const KvRequest& request, OperationResult result);

}  // namespace decree::net

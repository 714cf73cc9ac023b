// /v1/kv/{key}: requests to operations, results to answers. Pure but for the call to the node.
#pragma once

#include "kv/api/caller.h"
#include "server/net/http_message.h"
#include "server/net/http_target.h"

namespace decree::net {

inline constexpr std::string_view kKvPrefix = "/v1/kv/";
inline constexpr std::string_view kKvAllow = "GET, HEAD, PUT, DELETE";

// ?timeout= of any request.
Result<Duration> ParseTimeout(const std::string& value);

// The operation a request asks for, or why it is none (kInvalidArgument, kTooLarge).
struct KvRequest {
  Operation operation;
  std::optional<std::string> if_match;  // of GET and HEAD: compared with what was read
  std::optional<std::string> if_none_match;
};
Result<KvRequest> ParseKvRequest(HttpRequest& request, const Target& target);

HttpResponse KvResponse(const KvRequest& request, OperationResult result);

}  // namespace decree::net

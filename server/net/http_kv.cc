#include "server/net/http_kv.h"

#include <utility>

namespace decree::net {
namespace {

constexpr Duration kLongestTimeout = std::chrono::hours(1);

Status SetParameters(const Target& target, Operation* operation) {
  const bool read = operation->kind == OperationKind::kGet;
  ReadBound bound;
  for (const auto& [name, value] : target.query) {
    const auto known = read ? bound.Take(name, value) : Result<bool>(false);
    if (!known) return known.error();
    if (*known) continue;
    if (name == "timeout") {
      const auto timeout = ParseTimeout(value);
      if (!timeout) return timeout.error();
      operation->timeout = *timeout;
    } else if (name == "ttl" && operation->kind == OperationKind::kPut) {
      const auto duration = ParseDuration(value);
      if (!duration) return BadParameter(name, value, "a duration such as 30s, 500ms, 5m, 1h");
      operation->ttl_ms = static_cast<std::uint64_t>(duration->count() / 1'000'000);
    } else {
      return Error(Errc::kInvalidArgument, "the parameter '" + name + "' means nothing here");
    }
  }
  operation->consistency = bound.consistency();
  return {};
}

OperationKind KindOf(Verb verb) {
  if (verb == Verb::kPut) return OperationKind::kPut;
  return verb == Verb::kDelete ? OperationKind::kDelete : OperationKind::kGet;
}

std::string Tag(std::uint64_t version) { return '"' + std::to_string(version) + '"'; }

// What is not known is left out: 0 would look like an epoch or a node.
void AddPlace(const OperationResult& result, HttpResponse* response) {
  if (result.shard) response->AddField("Decree-Shard", ToString(*result.shard));
  if (result.epoch) response->AddField("Decree-Epoch", ToString(result.epoch));
  if (result.node) response->AddField("Decree-Node", ToString(result.node));
}

HttpResponse ReadResponse(const KvRequest& request, OperationResult& result) {
  HttpResponse response;
  const ReadResult& read = result.read;
  if (request.if_match && !NamesVersion(*request.if_match, read.version)) {
    response = ErrorResponse(Errc::kPreconditionFailed, "the key has another version");
  } else if (request.if_none_match && NamesVersion(*request.if_none_match, read.version)) {
    response.status = 304;
  } else {
    response.content_type = "application/octet-stream";
    response.body = std::move(result.read.value);
  }
  response.AddField("ETag", Tag(read.version));
  if (read.expires_at_ms != 0) {
    response.AddField("Decree-Expires-At", std::to_string(read.expires_at_ms));
  }
  return response;
}

HttpResponse WriteResponse(const KvRequest& request, const CommandResult& command) {
  HttpResponse response;
  if (request.operation.kind == OperationKind::kDelete) {
    response.status = 204;
    return response;
  }
  response.status = command.created ? 201 : 200;
  response.AddField("ETag", Tag(command.version));
  if (command.expires_at_ms != 0) {
    response.AddField("Decree-Expires-At", std::to_string(command.expires_at_ms));
  }
  return response;
}

std::string DetailOf(Errc code, const OperationResult& result) {
  if (!result.detail.empty()) return result.detail;
  if (!result.command.detail.empty()) return result.command.detail;
  switch (code) {
    case Errc::kNotFound:
      return "there is no such key";
    case Errc::kPreconditionFailed:
      return result.command.version == 0 ? "the key does not exist" : "the key has another version";
    case Errc::kUnavailable:
      return "no quorum answered; the request was certainly not applied";
    case Errc::kOutcomeUnknown:
      return "no answer came in time; the request may have been applied";
    default:
      return std::string(ErrcName(code));
  }
}

}  // namespace

Error BadParameter(const std::string& name, const std::string& value, const char* wanted) {
  return {Errc::kInvalidArgument, "?" + name + "=" + value + ": " + wanted};
}

Result<bool> ReadBound::Take(const std::string& name, const std::string& value) {
  if (name == "consistency") {
    stale_ = value == "stale";
    if (stale_ || value == "linearizable") return true;
    return BadParameter(name, value, "linearizable or stale");
  }
  if (name != "max_staleness") return false;
  if (!ParseDuration(value)) return BadParameter(name, value, "a duration such as 500ms");
  bounded_ = true;
  return true;
}

Result<Duration> ParseTimeout(const std::string& value) {
  const auto duration = ParseDuration(value);
  if (duration && *duration <= kLongestTimeout) return *duration;
  return BadParameter("timeout", value, "a duration such as 500ms or 2s, up to 1h");
}

Result<KvRequest> ParseKvRequest(HttpRequest& request, const Target& target) {
  KvRequest kv;
  Operation& operation = kv.operation;
  operation.kind = KindOf(request.verb);
  auto key = ParseKey(target.path.substr(kKvPrefix.size()));
  if (!key) return key.error();
  operation.key = std::move(*key);
  const Status parameters = SetParameters(target, &operation);
  if (!parameters) return parameters.error();
  if (operation.kind == OperationKind::kGet) {
    kv.if_match = std::move(request.if_match);
    kv.if_none_match = std::move(request.if_none_match);
    return kv;
  }
  auto condition = ParseCondition(request.if_match, request.if_none_match);
  if (!condition) return condition.error();
  if (operation.kind == OperationKind::kDelete && condition->kind == ConditionKind::kAbsent) {
    return Error(Errc::kInvalidArgument, "DELETE takes If-Match only");
  }
  operation.condition = std::move(*condition);
  operation.value = std::move(request.body);
  return kv;
}

HttpResponse KvResponse(const KvRequest& request, OperationResult result) {
  Errc code = result.code != Errc::kOk ? result.code : result.command.code;
  const bool deleted = request.operation.kind == OperationKind::kDelete && code == Errc::kNotFound;
  if (deleted) code = Errc::kOk;
  HttpResponse response;
  if (code != Errc::kOk) {
    response = ErrorResponse(code, DetailOf(code, result));
    const bool has_current = code == Errc::kPreconditionFailed && result.command.version != 0;
    if (has_current) response.AddField("ETag", Tag(result.command.version));
  } else if (request.operation.kind == OperationKind::kGet) {
    response = ReadResponse(request, result);
  } else {
    response = WriteResponse(request, result.command);
  }
  AddPlace(result, &response);
  return response;
}

}  // namespace decree::net

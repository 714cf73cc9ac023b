#include "server/net/http_scan.h"

#include <boost/json.hpp>
#include <charconv>
#include <utility>

#include "kv/base/base64.h"
#include "kv/base/utf8.h"
#include "server/net/http_kv.h"

namespace decree::net {
namespace {

namespace json = boost::json;

// "?keys_only" alone means yes, too.
std::optional<bool> ParseFlag(const std::string& text) {
  if (text.empty() || text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return std::nullopt;
}

Status SetLimit(const std::string& text, std::uint32_t* limit) {
  const char* end = text.data() + text.size();
  const auto [at, bad] = std::from_chars(text.data(), end, *limit);
  if (bad == std::errc() && at == end && *limit >= 1 && *limit <= kMaxScanRows) return {};
  return BadParameter("limit", text, "a number from 1 to 10000");
}

// An empty cursor is that of no page before: the first one.
Status SetCursor(const std::string& text, std::string* after) {
  if (text.empty()) return {};
  auto key = FromCursor(text);
  if (!key) return BadParameter("cursor", text, "what an earlier page gave as its cursor");
  *after = std::move(*key);
  return {};
}

Status SetParameter(const std::string& name, const std::string& value, ScanQuery* query) {
  KeyRange& range = query->range;
  if (name == "prefix") return range.prefix = value, Status();
  if (name == "start") return range.start = value, Status();
  if (name == "end") return range.end = value, Status();
  if (name == "limit") return SetLimit(value, &range.limit);
  if (name == "cursor") return SetCursor(value, &range.after);
  if (name == "keys_only") {
    const auto flag = ParseFlag(value);
    if (!flag) return BadParameter(name, value, "true or false");
    range.keys_only = *flag;
    return {};
  }
  if (name == "timeout") {
    const auto timeout = ParseTimeout(value);
    if (!timeout) return timeout.error();
    query->timeout = *timeout;
    return {};
  }
  return Error(Errc::kInvalidArgument, "the parameter '" + name + "' means nothing here");
}

void AddText(json::object& object, const std::string& name, const std::string& bytes) {
  if (IsUtf8(bytes)) {
    object[name] = bytes;
  } else {
    object[name + "_b64"] = ToBase64(bytes);
  }
}

}  // namespace

Result<ScanQuery> ParseScanQuery(const Target& target) {
  ScanQuery query;
  ReadBound bound;
  for (const auto& [name, value] : target.query) {
    const auto known = bound.Take(name, value);
    if (!known) return known.error();
    if (*known) continue;
    const Status set = SetParameter(name, value, &query);
    if (!set) return set.error();
  }
  query.range.consistency = bound.consistency();
  if (const Status limits = CheckLimits(query.range); !limits) return limits.error();
  return query;
}

std::string ToJson(ScanResult result, bool keys_only) {
  json::array items;
  items.reserve(result.rows.size());
  for (const ScanRow& row : result.rows) {
    json::object item;
    AddText(item, "key", row.key);
    if (!keys_only) AddText(item, "value", row.value);
    item["version"] = std::to_string(row.version);
    items.push_back(std::move(item));
  }
  json::object answer;
  answer["items"] = std::move(items);
  answer["cursor"] = nullptr;
  if (!result.complete) answer["cursor"] = ToCursor(result.rows.back().key);
  answer["complete"] = result.complete;
  return json::serialize(answer);
}

HttpScan::HttpScan(NodeDoor& door, std::size_t worker, Executor& executor, ScanQuery query,
                   HttpDone done)
    : door_(door),
      worker_(worker),
      executor_(executor),
      query_(std::move(query)),
      deadline_(executor.Now() + query_.timeout),
      done_(std::move(done)) {}

void HttpScan::Run() {
  door_.CountShards(worker_, query_.timeout,
                    [self = shared_from_this()](Result<std::uint32_t> count) {
                      if (!count) return self->Refuse(count.error().code(), count.error().detail());
                      self->scan_.emplace(self->query_.range, *count);
                      self->AskForPages();
                    });
}

void HttpScan::AskForPages() {
  while (auto page = scan_->Next()) {
    const ShardId shard = page->shard;
    door_.Operate(worker_, ToOperation(std::move(*page), deadline_ - executor_.Now()),
                  [self = shared_from_this(), shard](OperationResult result) {
                    self->OnPage(shard, std::move(result));
                  });
  }
  if (!scan_->finished()) return;
  HttpResponse response;
  response.content_type = "application/json";
  response.body = ToJson(scan_->TakeResult(), query_.range.keys_only);
  response.AddField("Decree-Node", ToString(door_.id()));
  Finish(std::move(response));
}

void HttpScan::OnPage(ShardId shard, OperationResult result) {
  if (!done_) return;  // another shard has failed
  if (result.code != Errc::kOk) {
    return Refuse(result.code, "shard " + ToString(shard) + ": " + result.detail);
  }
  const Status taken = scan_->Take(shard, std::move(result.scan));
  if (!taken) return Refuse(taken.error().code(), taken.error().detail());
  AskForPages();
}

// A read changes nothing, so there is no outcome to be unsure of.
void HttpScan::Refuse(Errc code, std::string detail) {
  if (code == Errc::kOutcomeUnknown) code = Errc::kUnavailable;
  Finish(ErrorResponse(code, std::move(detail)));
}

void HttpScan::Finish(HttpResponse response) {
  if (const HttpDone done = std::exchange(done_, nullptr)) done(std::move(response));
}

}  // namespace decree::net

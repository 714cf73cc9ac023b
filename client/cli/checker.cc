#include "client/cli/checker.h"

namespace decree::cli {
namespace {

// "node 1: ab12.., node 2: cd34.."
std::string DigestsOf(const json::value& answer) {
  std::string text;
  for (const json::value& replica : List(answer, "replicas")) {
    if (!text.empty()) text += ", ";
    text += "node " + Field(replica, "node") + ": " + Field(replica, "digest");
  }
  return text.empty() ? json::serialize(answer) : text;
}

bool AllDigestsEqual(const json::value& answer) {
  const json::array& replicas = List(answer, "replicas");
  for (const json::value& replica : replicas) {
    const std::string digest = Field(replica, "digest");
    if (digest == "-" || digest != Field(replicas.front(), "digest")) return false;
  }
  return !replicas.empty();
}

}  // namespace

Result<ShardCheck> CheckShard(Client& db, std::uint32_t shard, std::chrono::milliseconds timeout) {
  const auto reply =
      db.Admin("POST", "/v1/admin/shards/" + std::to_string(shard) + ":check", {}, timeout);
  if (!reply) return reply.error();
  boost::system::error_code bad;
  ShardCheck check;
  check.shard = shard;
  check.status = reply->status;
  check.answer = json::parse(reply->body, bad);
  if (bad || reply->status >= 400) {
    check.problem = bad ? reply->body : Field(check.answer, "detail");
    return check;
  }
  const json::value& equal = At(check.answer, "equal");
  check.equal = AllDigestsEqual(check.answer) && (!equal.is_bool() || equal.get_bool());
  if (!check.equal) check.problem = "replicas differ: " + DigestsOf(check.answer);
  return check;
}

}  // namespace decree::cli

// Administration requests with any target and any JSON body, asked of a placement leader with three
// nodes: each is answered once, in JSON; errors in the common vocabulary; and the settings that it
// says it has are settings that it takes.
#include <boost/json.hpp>
#include <functional>
#include <stdexcept>

#include "server/node/admin_service.h"
#include "server/node/move_driver.h"
#include "server/node/placement_leader.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/node/placement_world.h"

namespace decree::fuzz {
namespace {

namespace json = boost::json;
using namespace node;

class Desk {
 public:
  Desk() {
    world_.Join(2);
    world_.Join(3);
    leader_.Start();
    for (const auto& [id, node] : world_.state()->nodes()) leader_.OnReport(world_.Report(id));
  }

  AdminResponse Ask(const AdminRequest& request) {
    auto answers = std::make_shared<std::vector<AdminResponse>>();
    service_.Handle(request, [answers](AdminResponse response) {
      answers->push_back(std::move(response));
      DECREE_CHECK(answers->size() == 1);
    });
    DECREE_CHECK(world_.clock().RunUntil([&] { return !answers->empty(); }));
    CheckAnswer(answers->front());
    return answers->front();
  }

  void CheckSettings() {
    const std::string target = "/v1/admin/settings";
    const AdminResponse told = Ask({"GET", target, ""});
    DECREE_CHECK(told.status == 200);
    DECREE_CHECK(Ask({"PATCH", target, told.body}).status < 300);
    DECREE_CHECK(Ask({"GET", target, ""}).body == told.body);
  }

 private:
  static void CheckAnswer(const AdminResponse& response) {
    DECREE_CHECK(response.status >= 200 && response.status < 600);
    boost::system::error_code bad;
    const json::value body = json::parse(response.body, bad);
    DECREE_CHECK(!bad && body.is_object());
    DECREE_CHECK((response.status == 405) == !response.allow.empty());
    DECREE_CHECK(response.location.empty() || response.status == 202);
    if (response.status < 400) return;
    const json::object& problem = body.get_object();
    DECREE_CHECK(problem.at("status").to_number<std::uint32_t>() == response.status);
    DECREE_CHECK(problem.at("code").is_string() && problem.at("retryable").is_bool());
    const json::string& outcome = problem.at("outcome").as_string();
    DECREE_CHECK(outcome == "not_applied" || outcome == "unknown");
  }

  PlacementWorld world_;
  PlacementLeader leader_{world_};
  MoveDriver mover_{world_};
  AdminService service_{world_, leader_, mover_};
};

constexpr const char* kMethods[] = {"GET", "POST", "PATCH", "DELETE", "PUT"};
enum Verb : std::uint8_t { kGet, kPost, kPatch, kDelete };  // their places
constexpr int kMostRequests = 8;

using Told = std::function<void(const AdminRequest&, const AdminResponse&)>;

void AskAll(Desk& desk, Pieces& pieces, const Told& told) {
  for (int requests = 0; requests < kMostRequests && !pieces.empty(); ++requests) {
    AdminRequest request;
    request.method = kMethods[pieces.Byte() % std::size(kMethods)];
    request.target = std::string("/v1/admin/").append(pieces.Piece());
    request.body = pieces.Piece();
    told(request, desk.Ask(request));
  }
}

void Run(std::string_view input) {
  Pieces pieces(input);
  Desk desk;
  AskAll(desk, pieces, [](const AdminRequest&, const AdminResponse&) {});
  desk.CheckSettings();
}

// A seed that names no route, or nothing that is there, is refused before anything of it is read,
// and nobody would notice.
void CheckSeed(std::string_view seed) {
  Pieces pieces(seed);
  Desk desk;
  AskAll(desk, pieces, [](const AdminRequest& request, const AdminResponse& response) {
    if (response.status != 404 && response.status != 405) return;
    throw std::runtime_error(request.method + " " + request.target + ": " + response.body);
  });
  DECREE_CHECK(pieces.empty());  // or the rest is never asked
}

std::string Asked(Verb verb, std::string_view target, std::string_view body = {}) {
  return Number(verb, 1) + Piece(target) + Piece(body);
}

// The number that a plan gets which is the first request; it is the time, and that is virtual.
std::string FirstPlan() {
  const AdminResponse plan = Desk().Ask({"POST", "/v1/admin/plan", ""});
  return json::serialize(json::parse(plan.body).at("id"));
}

std::vector<std::string> Seeds() {
  return {Asked(kGet, "cluster") + Asked(kGet, "nodes") + Asked(kGet, "shards") +
              Asked(kGet, "shards/1") + Asked(kGet, "placement") + Asked(kGet, "moves") +
              Asked(kGet, "shards/placement") + Asked(kGet, "decrees?from=1&limit=2"),
          Asked(kGet, "settings") +
              Asked(kPatch, "settings", R"({"repair":"off","replicas":5,"moves_per_disk":3})") +
              Asked(kPatch, "settings", R"({"threshold_percent":1e99})"),
          Asked(kPost, "moves", R"({"shard":0,"from":1,"to":2})") + Asked(kGet, "moves/1") +
              Asked(kPost, "moves/1:pause") + Asked(kPost, "moves/1:resume") +
              Asked(kDelete, "moves/1") + Asked(kGet, "decrees"),
          Asked(kPost, "moves", R"({"shard":"placement","to":3,"to_disk":0})"),
          Asked(kPost, "nodes/2:drain") + Asked(kPost, "nodes/2:undrain") +
              Asked(kPost, "nodes/2:drain", R"({"for_s":60})") + Asked(kPost, "nodes/2:undrain") +
              Asked(kPost, "nodes/3:remove"),
          Asked(kPost, "shards/0:transfer-leader", R"({"to":1})") + Asked(kPost, "shards/1:check") +
              Asked(kPost, "shards/placement:check"),
          Asked(kPost, "plan") + Asked(kPost, "plan/" + FirstPlan() + ":execute") +
              Asked(kDelete, "plan")};
}

const Registration kAdmin{{"admin", Run, Seeds, CheckSeed}};

}  // namespace
}  // namespace decree::fuzz

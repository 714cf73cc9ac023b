// Administration requests with any target and any JSON body, asked of a placement leader with three
// nodes: each is answered once, in JSON; errors in the common vocabulary; and the settings that it
// says it has are settings that it takes.
#include <boost/json.hpp>

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

void Run(std::string_view input) {
  Pieces pieces(input);
  Desk desk;
  for (int requests = 0; requests < 8 && !pieces.empty(); ++requests) {
    AdminRequest request;
    request.method = kMethods[pieces.Byte() % std::size(kMethods)];
    request.target = std::string("/v1/admin/").append(pieces.Piece());
    request.body = pieces.Piece();
    desk.Ask(request);
  }
  desk.CheckSettings();
}

std::string Asked(int method, std::string_view target, std::string_view body = {}) {
  return Number(static_cast<std::uint64_t>(method), 1) + Piece(target) + Piece(body);
}

std::vector<std::string> Seeds() {
  return {Asked(0, "cluster") + Asked(0, "nodes") + Asked(0, "shards") + Asked(0, "shards/1") +
              Asked(0, "placement") + Asked(0, "moves"),
          Asked(0, "settings") +
              Asked(2, "settings", R"({"repair":"off","replicas":5,"moves_per_disk":3})") +
              Asked(2, "settings", R"({"threshold_percent":1e99})"),
          Asked(1, "moves", R"({"shard":0,"from":1,"to":2})") + Asked(0, "moves/1") +
              Asked(1, "moves/1:cancel") + Asked(0, "decrees?from=1&limit=2"),
          Asked(1, "moves", R"({"shard":"placement","to":3,"to_disk":0})"),
          Asked(1, "nodes/2:drain") + Asked(1, "nodes/2:undrain") + Asked(3, "nodes/3"),
          Asked(1, "shards/0:transfer", R"({"to":2})") + Asked(1, "plan") + Asked(1, "check")};
}

const Registration kAdmin{{"admin", Run, Seeds}};

}  // namespace
}  // namespace decree::fuzz

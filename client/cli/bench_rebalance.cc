#include "client/cli/bench_rebalance.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <thread>

#include "client/cli/bench_machine.h"
#include "client/cli/checker.h"
#include "client/cli/demo_moves.h"
#include "client/cli/interrupt.h"
#include "client/cli/move_view.h"

namespace decree::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{300};
constexpr std::chrono::milliseconds kClientTimeout{10'000};
constexpr std::chrono::milliseconds kPoll{50};

Error GivenUp() { return Error(Errc::kCancelled, "interrupted"); }

// Of a shard, a node that holds it and one that does not, in turn.
std::optional<json::object> SomeMove(const json::value& shard, const std::vector<DemoNode>& nodes,
                                     std::uint32_t turn) {
  std::vector<double> held;
  for (const json::value& replica : List(shard, "replicas")) {
    held.push_back(Number(replica, "node"));
  }
  for (const DemoNode& node : nodes) {
    const bool holds = std::find(held.begin(), held.end(), node.id) != held.end();
    if (holds || held.empty()) continue;
    return json::object{{"shard", static_cast<std::uint64_t>(Number(shard, "id"))},
                        {"from", static_cast<std::uint64_t>(held[turn % held.size()])},
                        {"to", node.id}};
  }
  return std::nullopt;
}

}  // namespace

int RebalanceBench::Run() {
  const InterruptGuard guard;
  const Status done = RunPhases();
  if (load_) load_->Stop();
  if (load_ && load_->judge().violations() > 0) {
    problems_.push_back("the history is not linearizable");
  }
  if (done) {
    if (const Status compared = CompareDigests(); !compared) {
      problems_.push_back(compared.error().ToString());
    }
  } else {
    problems_.push_back(done.error().ToString());
  }
  if (Interrupted()) return kExitInterrupted;
  const json::object report = load_ ? Report() : json::object{{"problems", problems_.size()}};
  if (load_) Print(report);
  if (context_.json_wanted()) context_.out << json::serialize(report) << std::endl;
  if (!args_.json.empty()) std::ofstream(args_.json) << json::serialize(report) << '\n';
  for (const std::string& problem : problems_) context_.err << "PROBLEM: " << problem << '\n';
  load_.reset();
  db_.reset();
  return problems_.empty() ? kExitOk : kExitError;
}

void RebalanceBench::Say(const std::string& text) {
  if (!context_.json_wanted()) context_.out << text << std::endl;
}

Status RebalanceBench::RunPhases() {
  if (auto ok = StartCluster(); !ok) return ok;
  sync_us_ = MeasureSync(cluster_->directory());
  load_ = std::make_unique<BenchLoad>(
      *db_, BenchLoadOptions{args_.shards, args_.keys, args_.value_bytes, 1});
  Say("fill: " + std::to_string(args_.keys) + " keys of " + FormatBytes(args_.value_bytes));
  if (auto ok = load_->Fill(); !ok) return ok;
  if (auto ok = NoteMoves(moves_); !ok) return ok;
  moves_ = {};
  rate_ = args_.rate;
  if (rate_ <= 0) {
    most_ = load_->MeasureMost(args_.in_flight, std::chrono::seconds(args_.phase_seconds));
    Say("most: " + FormatCount(most_) + " operations/s with " + std::to_string(args_.in_flight) +
        " under way");
    rate_ = most_ * args_.share;
  }
  if (auto ok = Patch({{"rebalance", "off"}}); !ok) return ok;
  load_->Start(rate_, "warm_up");
  if (auto ok = Rest("warm_up"); !ok) return ok;
  load_->Enter("control");
  if (auto ok = Rest("control"); !ok) return ok;
  using Step = Status (RebalanceBench::*)();
  for (const Step step :
       {&RebalanceBench::MoveShards, &RebalanceBench::AddNode, &RebalanceBench::DrainNode}) {
    if (auto ok = (this->*step)(); !ok) return ok;
  }
  if (auto ok = AwaitRest("a cluster at rest"); !ok) return ok;
  load_->Enter("after");
  if (auto ok = Rest("after"); !ok) return ok;
  load_->Stop();
  return {};
}

Status RebalanceBench::StartCluster() {
  Say(std::to_string(args_.nodes) + " nodes, " + std::to_string(args_.shards) + " shards");
  if (auto ok = DemoCluster::Make(args_.decreed, "decree-bench", args_.shards, cluster_); !ok)
    return ok;
  for (std::uint32_t i = 0; i < args_.nodes; ++i) {
    if (auto ok = cluster_->AddNode(); !ok) return ok;
  }
  auto db = cluster_->Connect(kClientTimeout);
  if (!db) return db.error();
  db_.emplace(std::move(*db));
  return AwaitRest("a cluster at rest");
}

// Nothing more is planned, and nothing moves.
Status RebalanceBench::AwaitRest(const std::string& what) {
  const auto deadline = Clock::now() + kPatience;
  while (Clock::now() < deadline) {
    if (Interrupted()) return GivenUp();
    const auto reply = db_->Admin("POST", "/v1/admin/plan", "{}");
    boost::system::error_code bad;
    const json::value plan = reply ? json::parse(reply->body, bad) : json::value();
    const bool planned = !reply || reply->status != 200 || bad || !List(plan, "moves").empty();
    const auto cluster = GetJson(*db_, "/v1/admin/cluster");
    if (!planned && cluster && Healthy(*cluster, 1)) return {};
    std::this_thread::sleep_for(kPoll);
  }
  return Error(Errc::kUnavailable, what + " did not come about in time");
}

Status RebalanceBench::Rest(const std::string& phase) {
  Say(phase + ": " + std::to_string(args_.phase_seconds) + " s");
  const auto end = Clock::now() + std::chrono::seconds(args_.phase_seconds);
  while (Clock::now() < end) {
    if (Interrupted()) return GivenUp();
    std::this_thread::sleep_for(kPoll);
  }
  return {};
}

Status RebalanceBench::MoveShards() {
  load_->Enter("moves");
  Say("moves: " + std::to_string(args_.moves) + " shards, one after the other");
  for (std::uint32_t i = 0; i < args_.moves; ++i) {
    if (auto ok = MoveOne(i); !ok) return ok;
  }
  return NoteMoves(moves_);
}

Status RebalanceBench::MoveOne(std::uint32_t number) {
  const auto shards = GetJson(*db_, "/v1/admin/shards/" + std::to_string(number % args_.shards));
  if (!shards) return shards.error();
  const auto move = SomeMove(*shards, cluster_->nodes(), number);
  if (!move) return Error(Errc::kImpossible, "every node holds every shard: --nodes 4 or more");
  const auto reply = db_->Admin("POST", "/v1/admin/moves", json::serialize(*move));
  if (!reply) return reply.error();
  if (reply->status != 202) return Error(Errc::kConflict, "a move was refused: " + reply->body);
  const std::string id = Field(json::parse(reply->body), "id");
  return AwaitCluster(*db_, "/v1/admin/moves/" + id, "the end of move " + id, kPatience,
                      [](const json::value& told) { return MoveEnded(told); });
}

Status RebalanceBench::AddNode() {
  load_->Enter("add_node");
  Say("add_node: one more node, filled by the balancer");
  if (auto ok = cluster_->AddNode(); !ok) return ok;
  if (auto ok = Patch({{"rebalance", "on"}}); !ok) return ok;
  const double newcomer = cluster_->nodes().back().id;
  const auto held = [newcomer](const json::value& nodes) {
    for (const json::value& node : List(nodes, "nodes")) {
      if (Number(node, "id") == newcomer && Number(node, "replicas") > 0) return true;
    }
    return false;
  };
  if (auto ok = AwaitCluster(*db_, "/v1/admin/nodes", "a replica on the new node", kPatience, held);
      !ok) {
    return ok;
  }
  if (auto ok = AwaitRest("an even spread"); !ok) return ok;
  const auto nodes = GetJson(*db_, "/v1/admin/nodes");
  if (!nodes) return nodes.error();
  spread_ = SpreadOf(*nodes).ToString();
  return NoteMoves(add_);
}

Status RebalanceBench::DrainNode() {
  load_->Enter("drain");
  const std::string id = std::to_string(cluster_->nodes()[1].id);
  Say("drain: node " + id);
  const auto reply = db_->Admin("POST", "/v1/admin/nodes/" + id + ":drain", "");
  if (!reply) return reply.error();
  if (reply->status != 202) return Error(Errc::kConflict, "the drain was refused: " + reply->body);
  const auto drained = [&id](const json::value& nodes) {
    for (const json::value& node : List(nodes, "nodes")) {
      if (Field(node, "id") == id) return Field(node, "state") == "drained";
    }
    return false;
  };
  if (auto ok = AwaitCluster(*db_, "/v1/admin/nodes", "the drained node", kPatience, drained); !ok)
    return ok;
  return NoteMoves(drain_);
}

// The moves that ended and were not counted before.
Status RebalanceBench::NoteMoves(MoveFigures& figures) {
  const auto moves = GetJson(*db_, "/v1/admin/moves");
  if (!moves) return moves.error();
  double first = 0;
  double last = 0;
  for (const json::value& move : List(*moves, "moves")) {
    if (!MoveEnded(move) || !moves_seen_.insert(Field(move, "id")).second) continue;
    const bool done = Field(move, "stage") == "done";
    ++(done ? figures.done : figures.rolled_back);
    if (!done) continue;
    const double created = Number(move, "created");
    const double finished = Number(move, "finished");
    first = first == 0 ? created : std::min(first, created);
    last = std::max(last, finished);
    figures.bytes += Number(move, "bytes_total");
    const json::value* pause = move.as_object().if_contains("switch_pause_ms");
    if (pause && pause->is_number()) figures.pauses_ms.push_back(pause->to_number<double>());
    figures.moves_s.push_back((finished - created) / 1000);
  }
  figures.seconds = (last - first) / 1000;
  std::sort(figures.pauses_ms.begin(), figures.pauses_ms.end());
  std::sort(figures.moves_s.begin(), figures.moves_s.end());
  return {};
}

Status RebalanceBench::CompareDigests() {
  Say("digests of all replicas");
  digests_equal_ = true;
  for (std::uint32_t shard = 0; shard < args_.shards; ++shard) {
    const auto checked = CheckShard(*db_, shard, kClientTimeout);
    if (!checked) return checked.error();
    digests_equal_ = digests_equal_ && checked->equal;
    if (!checked->equal)
      problems_.push_back("shard " + std::to_string(shard) + ": " + checked->problem);
  }
  return {};
}

Status RebalanceBench::Patch(const json::object& settings) {
  const auto reply = db_->Admin("PATCH", "/v1/admin/settings", json::serialize(settings));
  if (!reply) return reply.error();
  return reply->status == 200 ? Status() : Status(Error(Errc::kIo, reply->body));
}

}  // namespace decree::cli

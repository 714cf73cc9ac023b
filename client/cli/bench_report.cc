// What `decree bench rebalance` measured, as JSON and as a table.
#include <ostream>

#include "client/cli/bench_machine.h"
#include "client/cli/bench_rebalance.h"

namespace decree::cli {
namespace {

double Ms(std::int64_t ns) { return static_cast<double>(ns) / 1e6; }

json::object LatencyJson(const Histogram& latency) {
  return {{"count", latency.count()},
          {"p50_ms", Ms(latency.Percentile(50))},
          {"p99_ms", Ms(latency.Percentile(99))},
          {"p999_ms", Ms(latency.Percentile(99.9))},
          {"max_ms", Ms(latency.max())}};
}

json::object PhaseJson(const BenchPhase& phase) {
  Histogram all = phase.reads;
  all.Merge(phase.writes);
  return {
      {"phase", phase.name},
      {"seconds", phase.seconds},
      {"ops", phase.completed},
      {"ops_per_s", phase.seconds > 0 ? static_cast<double>(phase.completed) / phase.seconds : 0},
      {"failed", phase.failed},
      {"unknown", phase.unknown},
      {"longest_gap_ms", Ms(phase.longest_gap_ns)},
      {"all", LatencyJson(all)},
      {"reads", LatencyJson(phase.reads)},
      {"writes", LatencyJson(phase.writes)}};
}

json::object MovesJson(const MoveFigures& moves) {
  return {{"done", moves.done},
          {"rolled_back", moves.rolled_back},
          {"bytes", moves.bytes},
          {"seconds", moves.seconds},
          {"bytes_per_s", moves.seconds > 0 ? moves.bytes / moves.seconds : 0},
          {"move_median_s", Median(moves.moves_s)},
          {"switch_pause_median_ms", Median(moves.pauses_ms)},
          {"switch_pause_max_ms", moves.pauses_ms.empty() ? 0 : moves.pauses_ms.back()}};
}

const json::object* PhaseNamed(const json::array& phases, std::string_view name) {
  for (const json::value& phase : phases) {
    if (phase.at("phase").as_string() == name) return &phase.as_object();
  }
  return nullptr;
}

// Against the control phase of the same run.
json::object RatiosJson(const json::array& phases, std::string_view name) {
  const json::object* control = PhaseNamed(phases, "control");
  const json::object* phase = PhaseNamed(phases, name);
  if (!control || !phase) return {};
  const auto ratio = [&](auto get) {
    const double base = get(*control);
    return base > 0 ? get(*phase) / base : 0;
  };
  return {{"throughput",
           ratio([](const json::object& of) { return of.at("ops_per_s").to_number<double>(); })},
          {"p50", ratio([](const json::object& of) {
             return of.at("all").at("p50_ms").to_number<double>();
           })},
          {"p99", ratio([](const json::object& of) {
             return of.at("all").at("p99_ms").to_number<double>();
           })}};
}

}  // namespace

json::object RebalanceBench::Report() const {
  json::array phases;
  for (const BenchPhase& phase : load_->phases()) phases.push_back(PhaseJson(phase));
  json::object ratios;
  for (const char* name : {"moves", "add_node", "drain", "after"}) {
    ratios[name] = RatiosJson(phases, name);
  }
  json::array complaints;
  for (const std::string& complaint : load_->complaints()) complaints.emplace_back(complaint);
  return {{"benchmark", "rebalance"},
          {"version", DECREE_VERSION},
          {"machine", MachineJson(sync_us_)},
          {"settings", json::object{{"nodes", args_.nodes},
                                    {"shards", args_.shards},
                                    {"keys", args_.keys},
                                    {"value_bytes", args_.value_bytes},
                                    {"in_flight", args_.in_flight},
                                    {"share", args_.share},
                                    {"phase_seconds", args_.phase_seconds}}},
          {"most_ops_per_s", most_},
          {"offered_ops_per_s", rate_},
          {"phases", std::move(phases)},
          {"ratios_to_control", std::move(ratios)},
          {"moves", MovesJson(moves_)},
          {"add_node", MovesJson(add_)},
          {"drain", MovesJson(drain_)},
          {"replicas_after_add_node", spread_},
          {"history", json::object{{"operations", load_->judge().judged()},
                                   {"violations", load_->judge().violations()},
                                   {"linearizable", load_->judge().violations() == 0}}},
          {"digests_equal", digests_equal_},
          {"complaints", std::move(complaints)}};
}

void RebalanceBench::Print(const json::object& report) const {
  if (context_.json_wanted()) return;
  Table table{{"PHASE", "SECONDS", "OPS/S", "FAILED", "P50 MS", "P99 MS", "P99.9 MS", "GAP MS"},
              {}};
  for (const json::value& phase : report.at("phases").as_array()) {
    const json::value& all = phase.at("all");
    table.rows.push_back({Field(phase, "phase"), Digits(phase.at("seconds"), 1),
                          Digits(phase.at("ops_per_s"), 0), Field(phase, "failed"),
                          Digits(all.at("p50_ms")), Digits(all.at("p99_ms")),
                          Digits(all.at("p999_ms")), Digits(phase.at("longest_gap_ms"), 0)});
  }
  context_.Show(json::value(report), table);
  Table moves{{"MOVES", "DONE", "BACK", "MIB", "SECONDS", "MEDIAN S", "PAUSE MS", "WORST MS"}, {}};
  for (const char* name : {"moves", "add_node", "drain"}) {
    const json::value& one = report.at(name);
    moves.rows.push_back({name, Field(one, "done"), Field(one, "rolled_back"),
                          Digits(one.at("bytes").to_number<double>() / (1 << 20), 1),
                          Digits(one.at("seconds"), 1), Digits(one.at("move_median_s")),
                          Digits(one.at("switch_pause_median_ms"), 0),
                          Digits(one.at("switch_pause_max_ms"), 0)});
  }
  context_.out << '\n';
  context_.Show(json::value(report), moves);
  context_.out << "\nreplicas after add_node: " << spread_
               << "\nhistory: " << load_->judge().judged() << " operations, "
               << (load_->judge().violations() == 0 ? "linearizable" : "NOT LINEARIZABLE")
               << "; digests " << (digests_equal_ ? "equal" : "NOT COMPARED OR NOT EQUAL")
               << std::endl;
}

}  // namespace decree::cli

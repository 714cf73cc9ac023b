// decree bench rebalance: what a cluster of real processes serves while its shards move. Fill, find
// the most it can do, then an open load at a share of that over these phases: control (nothing
// moves), moves (one after the other, by an operator), add_node (the balancer fills it), drain, and
// after. Every answer is judged, digests are compared at the end.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/cli/bench_load.h"
#include "client/cli/context.h"
#include "client/cli/demo_cluster.h"

namespace decree::cli {

struct BenchArgs {
  std::string decreed;  // empty: beside this program
  std::string json;     // a file for the report; empty: none
  std::uint32_t nodes = 4;
  std::uint32_t shards = 16;
  std::uint64_t keys = 20'000;
  std::size_t value_bytes = 1024;
  std::size_t in_flight = 64;  // while the most is measured
  double share = 0.5;          // of the most, offered while shards move
  double rate = 0;             // instead of a share; 0: measured
  std::uint32_t moves = 20;
  std::uint32_t phase_seconds = 10;
};

// Of one phase in which shards moved.
struct MoveFigures {
  std::uint64_t done = 0;
  std::uint64_t rolled_back = 0;
  double bytes = 0;
  double seconds = 0;             // from the first intent to the last end
  std::vector<double> pauses_ms;  // sorted
  std::vector<double> moves_s;    // sorted: how long each took
};

class RebalanceBench {
 public:
  RebalanceBench(Context& context, BenchArgs args) : context_(context), args_(std::move(args)) {}
  int Run();

 private:
  Status RunPhases();
  Status StartCluster();
  Status Rest(const std::string& phase);
  Status MoveShards();
  Status MoveOne(std::uint32_t number);
  Status AddNode();
  Status DrainNode();
  Status AwaitRest(const std::string& what);
  Status CompareDigests();
  Status Patch(const json::object& settings);
  Status NoteMoves(MoveFigures& figures);
  void Say(const std::string& text);

  json::object Report() const;
  void Print(const json::object& report) const;

  Context& context_;
  BenchArgs args_;
  std::optional<DemoCluster> cluster_;
  std::optional<Client> db_;
  std::unique_ptr<BenchLoad> load_;
  double most_ = 0;
  double rate_ = 0;
  double sync_us_ = 0;
  std::set<std::string> moves_seen_;  // counted
  MoveFigures moves_, add_, drain_;
  std::string spread_;
  bool digests_equal_ = false;
  std::vector<std::string> problems_;
};

}  // namespace decree::cli

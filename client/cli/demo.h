// The main job, end to end: load real records, serve, add a node, rebalance live, verify, report.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/context.h"
#include "client/cli/demo_cluster.h"
#include "client/cli/demo_load.h"
#include "client/cli/demo_moves.h"
#include "client/cli/demo_verify.h"

namespace decree::cli {

struct DemoArgs {
  std::string input;    // empty: the machine's own package index
  std::string decreed;  // empty: beside this program
  std::uint32_t shards = 64;
  std::uint32_t phase_seconds = 10;
  double rate = 400;
  double http_rate = 100;
  bool kill = false;
  bool keep = false;
};

inline constexpr int kDemoPhases = 7;

// What the summary is made of.
struct DemoReport {
  std::uint64_t records = 0;
  double megabytes = 0;
  double import_seconds = 0;
  double moving_seconds = 0;
  std::uint64_t moves_done = 0;
  std::uint64_t moves_rolled_back = 0;
  double longest_pause_ms = 0;
  double moved_bytes = 0;
  std::string spread;
  double writes_resumed_seconds = -1;  // after a kill; -1: nothing was killed
  Verdict read_back;
  Verdict over_http;
  Verdict digests;
  DemoLoad::Readback written;
  std::vector<std::string> problems;  // empty: everything is right

  void Problem(const std::string& what) { problems.push_back(what); }
};

class Demo {
 public:
  Demo(Context& context, const DemoArgs& args) : context_(context), args_(args) {}
  int Run();

 private:
  Status RunPhases();
  Status ReadInput();
  Status StartCluster();
  Status Import();
  Status Serve(Phase phase);  // watches the load for a while
  Status AddNodeAndWait();
  Status KillAndRestart();
  Status Verify();
  void Summarize();
  void PrintLoad();

  void Title(const std::string& what);
  Progress Bar(const std::string& name, std::uint64_t total);
  std::string LoadLine() const;

  Context& context_;
  const DemoArgs& args_;
  int phase_number_ = 0;
  std::string input_name_;
  std::vector<Record> records_;
  std::optional<DemoCluster> cluster_;
  std::optional<Client> db_;
  std::unique_ptr<DemoLoad> load_;
  DemoReport report_;
};

}  // namespace decree::cli

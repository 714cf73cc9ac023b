// decree bench move: how fast a shard moves between two processes on this machine, unthrottled and
// without load, against `cp` of the same files with `sync`. The stages are taken from the decree
// log, each move beside a copy of its own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/cli/context.h"
#include "client/cli/demo_cluster.h"

namespace decree::cli {

struct MoveBenchArgs {
  std::string decreed;  // empty: beside this program
  std::string json;     // a file for the report; empty: none
  std::uint64_t mib = 256;
  std::size_t value_bytes = 1024;
  std::uint32_t moves = 5;  // there and back in turn
};

// Seconds since the intent of one move, and what the copy beside it took.
struct MoveTimes {
  double catch_up = 0;  // the target had the snapshot, imported and durable
  double verify = 0;    // it had the log up to the leader, and the digests were asked for
  double seal = 0;      // they were equal
  double done = 0;
  std::optional<double> pause_ms;  // of the writes; none waited: none
  double bytes = 0;                // as the move tells them: of keys and values or, if more, files
  double copy = 0;                 // cp and sync of the shard's files as they are at the target
  double copy_bytes = 0;           // of these files
};

class MoveBench {
 public:
  MoveBench(Context& context, MoveBenchArgs args) : context_(context), args_(std::move(args)) {}
  int Run();

 private:
  Status Measure();
  Status StartCluster();
  Status Fill();
  Status MoveOnce(std::size_t from, std::size_t to);
  Result<MoveTimes> ReadTimes(const std::string& move);
  Status CopyFiles(const std::string& data, MoveTimes& times) const;
  void Say(const std::string& text);
  json::object Report() const;
  void Print(const json::object& report) const;

  Context& context_;
  const MoveBenchArgs args_;
  std::optional<DemoCluster> cluster_;
  std::optional<Client> db_;
  double sync_us_ = 0;
  std::vector<MoveTimes> times_;
};

}  // namespace decree::cli

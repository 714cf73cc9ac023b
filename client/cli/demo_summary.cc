// The demo's last screen.
#include <iostream>

#include "client/cli/demo.h"

namespace decree::cli {
namespace {

std::string PhaseName(Phase phase) {
  if (phase == Phase::kBefore) return "before";
  return phase == Phase::kDuring ? "during" : "after";
}

std::vector<std::string> LoadRow(const std::string& name, const LoadFigures& figures) {
  const double rate =
      figures.seconds > 0 ? static_cast<double>(figures.latency.count()) / figures.seconds : 0;
  return {name,
          FormatCount(rate) + "/s",
          FormatDuration(figures.latency.Percentile(50)),
          FormatDuration(figures.latency.Percentile(99)),
          FormatDuration(figures.latency.max()),
          std::to_string(figures.failed)};
}

void Judge(DemoReport& report, const std::string& what, const Verdict& verdict,
           std::uint64_t expected) {
  for (const std::string& complaint : verdict.complaints) report.Problem(what + ": " + complaint);
  if (verdict.compared < expected) report.Problem(what + ": not everything was compared");
}

}  // namespace

void Demo::PrintLoad() {
  Table table{{"  load", "rate", "p50", "p99", "longest", "failed"}, {}};
  std::uint64_t failed = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Phase::kCount); ++i) {
    const auto phase = static_cast<Phase>(i);
    for (const bool native : {true, false}) {
      const LoadFigures figures = native ? load_->native(phase) : load_->http(phase);
      if (!native && args_.http_rate <= 0) continue;
      failed += figures.failed;
      table.rows.push_back(
          LoadRow("  " + PhaseName(phase) + (native ? ", C++ client" : ", HTTP"), figures));
    }
  }
  PrintTable(context_.out, Format::kTable, table);
  if (failed > 0) report_.Problem(std::to_string(failed) + " requests of the load failed");
  if (load_->wrong_reads() > 0) {
    report_.Problem(std::to_string(load_->wrong_reads()) + " reads of the load were wrong");
  }
  for (const std::string& complaint : load_->complaints()) report_.Problem(complaint);
}

void Demo::Summarize() {
  std::ostream& out = context_.out;
  DemoReport& report = report_;
  out << "\nsummary\n";
  const double rate =
      report.import_seconds > 0 ? static_cast<double>(report.records) / report.import_seconds : 0;
  out << "  records   " << FormatCount(static_cast<double>(report.records)) << " ("
      << static_cast<int>(report.megabytes) << " MB) imported in "
      << FormatSeconds(report.import_seconds) << ", " << FormatCount(rate) << "/s\n";
  out << "  moves     " << report.moves_done << " done, " << report.moves_rolled_back
      << " rolled back, " << FormatBytes(report.moved_bytes) << " in "
      << FormatSeconds(report.moving_seconds) << "; longest pause of writes "
      << report.longest_pause_ms << " ms\n";
  out << "  replicas  " << report.spread << '\n';
  if (report.writes_resumed_seconds >= 0) {
    out << "  kill -9   64 writes to all parts went through within "
        << FormatSeconds(report.writes_resumed_seconds) << '\n';
  }
  if (load_) PrintLoad();
  out << "  read back " << FormatCount(static_cast<double>(report.read_back.compared))
      << " records through the client (" << report.read_back.wrong << " wrong), "
      << FormatCount(static_cast<double>(report.over_http.compared)) << " over HTTP ("
      << report.over_http.wrong << " wrong), "
      << FormatCount(static_cast<double>(report.written.keys)) << " keys the load wrote ("
      << report.written.wrong << " wrong)\n";
  out << "  digests   " << report.digests.compared << " shards compared, " << report.digests.wrong
      << " differ\n";
  Judge(report, "read back", report.read_back, report.records);
  Judge(report, "over HTTP", report.over_http, 1);
  Judge(report, "digests", report.digests, args_.shards);
  if (report.written.wrong > 0) report.Problem("acknowledged writes of the load are lost");
  if (report.moves_done == 0) report.Problem("no shard was moved");
  for (const std::string& problem : report.problems) out << "  PROBLEM   " << problem << '\n';
  out << (report.problems.empty() ? "everything is right" : "something is wrong, see above")
      << "; ";
}

}  // namespace decree::cli

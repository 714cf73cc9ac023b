#include "client/cli/demo.h"

#include <iostream>
#include <thread>

#include "client/cli/importer.h"
#include "client/cli/interrupt.h"

namespace decree::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kHealPatience{90};
constexpr std::chrono::seconds kMovePatience{150};
constexpr std::chrono::milliseconds kImportPatience{15'000};
constexpr std::chrono::milliseconds kClientTimeout{5000};
constexpr std::chrono::seconds kWriteGapAllowed{2};
constexpr std::size_t kHttpSample = 400;
constexpr int kEvenInARow = 5;  // polls: it must stay even

Error GivenUp() { return Error(Errc::kCancelled, "interrupted"); }

double SecondsSince(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

}  // namespace

int Demo::Run() {
  const InterruptGuard guard;
  const auto began = Clock::now();
  const Status done = RunPhases();
  if (load_) load_->Stop();
  if (!done) report_.Problem(done.error().ToString());
  if (cluster_) {
    const std::string files = cluster_->directory();
    const bool keep = args_.keep || (!report_.problems.empty() && !Interrupted());
    db_.reset();
    if (!cluster_->Stop() && !Interrupted()) report_.Problem("a node did not end in good order");
    if (keep) cluster_->KeepFiles();
    if (keep) context_.out << "data and logs of the nodes are kept in " << files << '\n';
  }
  if (Interrupted()) return kExitInterrupted;
  Summarize();
  context_.out << "total " << FormatSeconds(SecondsSince(began)) << std::endl;
  return report_.problems.empty() ? kExitOk : kExitError;
}

Status Demo::RunPhases() {
  using Step = Status (Demo::*)();
  const Step steps[] = {&Demo::ReadInput, &Demo::StartCluster, &Demo::Import};
  for (const Step step : steps) {
    if (auto ok = (this->*step)(); !ok) return ok;
  }
  LoadOptions load;
  load.native_rate = args_.rate;
  load.http_rate = args_.http_rate;
  load_ = std::make_unique<DemoLoad>(*db_, records_, load);
  load_->UseHttp(cluster_->HttpPorts());
  load_->Start();
  Title("steady reads and writes, " + FormatCount(args_.rate) + "/s native and " +
        FormatCount(args_.http_rate) + "/s over HTTP");
  if (auto ok = Serve(Phase::kBefore); !ok) return ok;
  load_->Enter(Phase::kDuring);
  if (auto ok = AddNodeAndWait(); !ok) return ok;
  load_->Enter(Phase::kAfter);
  Title(args_.kill ? "the same load, and kill -9 of a node" : "the same load on four nodes");
  if (auto ok = args_.kill ? KillAndRestart() : Serve(Phase::kAfter); !ok) return ok;
  load_->Stop();
  return Verify();
}

void Demo::Title(const std::string& what) {
  context_.out << "\n[" << ++phase_number_ << "/" << kDemoPhases << "] " << what << std::endl;
}

Progress Demo::Bar(const std::string& name, std::uint64_t total) {
  return Progress(context_.out, context_.out_is_terminal, "  " + name, total);
}

Status Demo::StartCluster() {
  Title("three nodes, " + std::to_string(args_.shards) + " shards, three copies of each");
  if (auto ok = DemoCluster::Make(args_.decreed, "decree-demo", args_.shards, cluster_); !ok)
    return ok;
  const auto began = Clock::now();
  for (int i = 0; i < 3; ++i) {
    if (auto ok = cluster_->AddNode(); !ok) return ok;
    const DemoNode& node = cluster_->nodes().back();
    context_.out << "  node " << node.id << ": pid " << node.process.pid()
                 << ", 127.0.0.1:" << node.rpc << ", http://127.0.0.1:" << node.http << std::endl;
  }
  auto db = cluster_->Connect(kClientTimeout);
  if (!db) return db.error();
  db_.emplace(std::move(*db));
  auto ok = AwaitCluster(*db_, "/v1/admin/cluster", "three healthy copies of every shard",
                         kHealPatience, [](const json::value& c) { return Healthy(c, 3); });
  if (ok)
    context_.out << "  all shards have three copies after " << FormatSeconds(SecondsSince(began))
                 << std::endl;
  return ok;
}

Status Demo::Import() {
  Title("import of " + FormatCount(static_cast<double>(records_.size())) + " records from " +
        input_name_);
  const auto began = Clock::now();
  Importer importer(*db_, 256, kImportPatience);
  Progress bar = Bar("import", records_.size());
  for (std::size_t i = 0; i < records_.size(); ++i) {
    if (Interrupted()) return GivenUp();
    importer.Put(i + 1, records_[i]);
    bar.Update(importer.written());
  }
  importer.Drain();
  report_.import_seconds = SecondsSince(began);
  bar.Finish(importer.written());
  for (const std::string& error : importer.errors()) report_.Problem("import: " + error);
  if (importer.failed() > 0) return Error(Errc::kIo, "the import did not succeed");
  return {};
}

std::string Demo::LoadLine() const {
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Phase::kCount); ++i) {
    const auto phase = static_cast<Phase>(i);
    done += load_->native(phase).latency.count() + load_->http(phase).latency.count();
    failed += load_->native(phase).failed + load_->http(phase).failed;
  }
  return FormatCount(static_cast<double>(done)) + " requests, " + std::to_string(failed) +
         " failed";
}

Status Demo::Serve(Phase) {
  Progress bar = Bar("load", args_.phase_seconds * 1000);
  const auto began = Clock::now();
  const auto length = std::chrono::seconds(args_.phase_seconds);
  while (Clock::now() - began < length) {
    if (Interrupted()) return GivenUp();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    bar.Update(static_cast<std::uint64_t>(SecondsSince(began) * 1000), LoadLine());
  }
  bar.Finish(args_.phase_seconds * 1000, LoadLine());
  return {};
}

Status Demo::AddNodeAndWait() {
  Title("a fourth node joins; shards move to it while the load goes on");
  MoveBoard board(context_.out, context_.out_is_terminal);
  const auto before = GetJson(*db_, "/v1/admin/moves");
  if (!before) return before.error();
  board.Ignore(*before);
  const auto began = Clock::now();
  if (auto ok = cluster_->AddNode(); !ok) return ok;
  load_->UseHttp(cluster_->HttpPorts());
  context_.out << "  node " << cluster_->nodes().back().id << ": pid "
               << cluster_->nodes().back().process.pid() << std::endl;
  int even_in_a_row = 0;
  Spread spread;
  while (even_in_a_row < kEvenInARow) {
    if (Interrupted()) return GivenUp();
    if (Clock::now() - began > kMovePatience) {
      return Error(Errc::kUnavailable, "the replicas are not even in time: " + spread.ToString());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    const auto nodes = GetJson(*db_, "/v1/admin/nodes");
    const auto moves = GetJson(*db_, "/v1/admin/moves");
    const auto cluster = GetJson(*db_, "/v1/admin/cluster");
    if (!nodes || !moves || !cluster) continue;
    spread = SpreadOf(*nodes);
    board.Update(*moves, "  replicas " + spread.ToString() + "; " + std::to_string(board.done()) +
                             " moves done; load: " + LoadLine());
    const bool settled = spread.even && spread.replicas.size() == 4 && Healthy(*cluster, 4);
    even_in_a_row = settled ? even_in_a_row + 1 : 0;
    if (even_in_a_row == 1) report_.moving_seconds = SecondsSince(began);
  }
  report_.moves_done = board.done();
  report_.moves_rolled_back = board.rolled_back();
  report_.longest_pause_ms = board.longest_pause_ms();
  report_.moved_bytes = board.bytes();
  report_.spread = spread.ToString();
  return {};
}

// How long until a write goes through again, on every shard the probe happens to hit.
Status Demo::KillAndRestart() {
  const std::size_t victim = 1;
  const DemoNode& node = cluster_->nodes()[victim];
  context_.out << "  kill -9 of node " << node.id << " (pid " << node.process.pid() << ")"
               << std::endl;
  cluster_->Kill(victim);
  const auto killed = Clock::now();
  for (int i = 0; i < 64; ++i) {
    const auto put = db_->Put("demo/probe/" + std::to_string(i), "x");
    if (!put) return Error(put.error().code(), "after the kill: " + put.error().ToString());
  }
  report_.writes_resumed_seconds = SecondsSince(killed);
  if (Clock::now() - killed > kWriteGapAllowed) report_.Problem("writes stopped for over 2 s");
  if (auto ok = Serve(Phase::kAfter); !ok) return ok;
  if (auto ok = cluster_->Restart(victim); !ok) return ok;
  load_->UseHttp(cluster_->HttpPorts());
  return AwaitCluster(*db_, "/v1/admin/cluster", "a healthy cluster after the restart",
                      kHealPatience, [](const json::value& c) { return Healthy(c, 4); });
}

Status Demo::Verify() {
  Title("every record is read back and compared");
  {
    Progress bar = Bar("client", records_.size());
    report_.read_back = VerifyRecords(*db_, records_, bar);
    bar.Finish(report_.read_back.compared);
  }
  report_.written = load_->VerifyWrites();
  {
    const std::size_t all = std::min(kHttpSample, records_.size()) * cluster_->nodes().size();
    Progress bar = Bar("HTTP, every node", all);
    report_.over_http = VerifyOverHttp(cluster_->nodes(), records_, kHttpSample, bar);
    bar.Finish(report_.over_http.compared);
  }
  Title("digests of all replicas are compared");
  Progress bar = Bar("check", args_.shards);
  report_.digests = VerifyDigests(*db_, args_.shards, bar);
  bar.Finish(report_.digests.compared);
  return Interrupted() ? Status(GivenUp()) : Status();
}

}  // namespace decree::cli

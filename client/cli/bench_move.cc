#include "client/cli/bench_move.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "client/cli/bench_load.h"
#include "client/cli/bench_machine.h"
#include "client/cli/interrupt.h"
#include "client/cli/move_view.h"

namespace decree::cli {
namespace {

using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr std::chrono::seconds kPatience{300};
constexpr std::chrono::milliseconds kClientTimeout{30'000};
constexpr std::uint64_t kHighestRate = std::uint64_t{1} << 40;  // bytes a second

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

// The tables of the rows, wherever they are below this folder; others may go meanwhile.
std::vector<fs::path> TablesBelow(const std::string& folder) {
  std::vector<fs::path> tables;
  std::error_code bad;
  fs::recursive_directory_iterator entry(folder, bad);
  for (; !bad && entry != fs::recursive_directory_iterator(); entry.increment(bad)) {
    if (entry->path().extension() == ".sst") tables.push_back(entry->path());
  }
  return tables;
}

bool SyncToDisk(const fs::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool synced = fsync(file) == 0;
  close(file);
  return synced;
}

}  // namespace

int MoveBench::Run() {
  const InterruptGuard guard;
  Status done = Measure();
  if (done && !cluster_->Stop()) done = Error(Errc::kIo, "a node did not end in good order");
  if (Interrupted()) return kExitInterrupted;
  if (!done) return context_.Fail(done.error());
  const json::object report = Report();
  if (context_.json_wanted()) {
    context_.out << json::serialize(report) << std::endl;
  } else {
    Print(report);
  }
  if (!args_.json.empty()) std::ofstream(args_.json) << json::serialize(report) << '\n';
  return kExitOk;
}

void MoveBench::Say(const std::string& text) {
  if (!context_.json_wanted()) context_.out << text << std::endl;
}

Status MoveBench::Measure() {
  if (auto ok = StartCluster(); !ok) return ok;
  sync_us_ = MeasureSync(cluster_->directory());
  if (auto ok = Fill(); !ok) return ok;
  for (std::uint32_t i = 0; i < args_.moves; ++i) {
    if (auto ok = MoveOnce(i % 2, (i + 1) % 2); !ok) return ok;
  }
  return {};
}

// Two nodes and one shard of one copy, so that a move carries it from process to process.
Status MoveBench::StartCluster() {
  if (auto ok = DemoCluster::Make(args_.decreed, "decree-bench", 1, cluster_); !ok) return ok;
  if (auto ok = cluster_->AddNode(); !ok) return ok;
  auto db = cluster_->Connect(kClientTimeout);
  if (!db) return db.error();
  db_.emplace(std::move(*db));
  const json::object settings{
      {"replicas", 1}, {"rebalance", "off"}, {"move_rate_bytes_per_s", kHighestRate}};
  const auto reply = db_->Admin("PATCH", "/v1/admin/settings", json::serialize(settings));
  if (!reply) return reply.error();
  if (reply->status != 200) return Error(Errc::kIo, reply->body);
  return cluster_->AddNode();
}

Status MoveBench::Fill() {
  const std::uint64_t keys = std::max<std::uint64_t>(1, (args_.mib << 20) / args_.value_bytes);
  Say("fill: " + std::to_string(keys) + " keys of " + FormatBytes(args_.value_bytes));
  BenchLoad load(*db_, {1, keys, args_.value_bytes, 1});
  return load.Fill();
}

Status MoveBench::MoveOnce(std::size_t from, std::size_t to) {
  const json::object move{
      {"shard", 0}, {"from", cluster_->nodes()[from].id}, {"to", cluster_->nodes()[to].id}};
  const auto reply = db_->Admin("POST", "/v1/admin/moves", json::serialize(move));
  if (!reply) return reply.error();
  if (reply->status != 202) return Error(Errc::kConflict, "a move was refused: " + reply->body);
  const std::string id = Field(json::parse(reply->body), "id");
  const std::string target = "/v1/admin/moves/" + id;
  const auto ended = [](const json::value& told) { return MoveEnded(told); };
  if (auto ok = AwaitCluster(*db_, target, "the end of move " + id, kPatience, ended); !ok) {
    return ok;
  }
  auto times = ReadTimes(id);
  if (!times) return times.error();
  if (auto ok = CopyFiles(cluster_->nodes()[to].data, *times); !ok) return ok;
  times_.push_back(*times);
  Say("move " + id + ": " + FormatBytes(times->bytes) + " in " + FormatSeconds(times->done) +
      ", cp and sync " + FormatSeconds(times->copy));
  return {};
}

Result<MoveTimes> MoveBench::ReadTimes(const std::string& move) {
  const auto told = GetJson(*db_, "/v1/admin/moves/" + move);
  if (!told) return told.error();
  if (Field(*told, "stage") != "done") {
    return Error(Errc::kConflict, "move " + move + " was rolled back: " + Field(*told, "error"));
  }
  const auto decrees = GetJson(*db_, "/v1/admin/decrees?from=" + move);
  if (!decrees) return decrees.error();
  std::map<std::string, double> at;
  for (const json::value& decree : List(*decrees, "decrees")) {
    const bool ours = Field(decree, "move") == move && Field(decree, "outcome") == "ok";
    if (ours) at.emplace(Field(decree, "kind"), Number(decree, "time"));
  }
  for (const char* kind :
       {"move_intent", "move_catch_up", "move_verify", "move_seal", "move_done"}) {
    if (!at.contains(kind)) return Error(Errc::kIo, "no " + std::string(kind) + " in the log");
  }
  const auto since = [&at](const char* kind) { return (at[kind] - at["move_intent"]) / 1000; };
  MoveTimes times;
  times.catch_up = since("move_catch_up");
  times.verify = since("move_verify");
  times.seal = since("move_seal");
  times.done = since("move_done");
  times.bytes = Number(*told, "bytes_total");
  const json::value& pause = At(*told, "switch_pause_ms");
  if (pause.is_number()) times.pause_ms = pause.to_number<double>();
  return times;
}

// cp and sync of the files where the move has left them, hot as it left them. Each copy is synced
// by itself: a sync of everything would also wait for what the nodes write.
Status MoveBench::CopyFiles(const std::string& data, MoveTimes& times) const {
  const fs::path copies = cluster_->directory() + "/copies";
  std::error_code bad;
  fs::create_directory(copies, bad);
  ::sync();  // what others have still to write is not the copy's
  const auto began = Clock::now();
  std::size_t number = 0;
  for (const fs::path& table : TablesBelow(data)) {
    const fs::path copy = copies / std::to_string(++number);
    fs::copy_file(table, copy, bad);
    if (bad == std::errc::no_such_file_or_directory) continue;  // compacted away meanwhile
    if (bad) return Error(Errc::kIo, "copying " + table.string() + ": " + bad.message());
    if (!SyncToDisk(copy)) return Error(Errc::kIo, "syncing " + copy.string());
    times.copy_bytes += static_cast<double>(fs::file_size(copy, bad));
  }
  if (!SyncToDisk(copies)) return Error(Errc::kIo, "syncing " + copies.string());
  times.copy = Seconds(Clock::now() - began);
  fs::remove_all(copies, bad);
  return {};
}

namespace {

template <class Figure>
double MedianOf(const std::vector<MoveTimes>& all, Figure figure) {
  std::vector<double> figures;
  for (const MoveTimes& one : all) figures.push_back(figure(one));
  std::sort(figures.begin(), figures.end());
  return Median(figures);
}

double Rate(double bytes, double seconds) { return seconds > 0 ? bytes / seconds : 0; }

// Of the files' bytes a second up to a moment of the move, alone and against the copy.
json::object SpeedJson(const std::vector<MoveTimes>& all, double MoveTimes::*moment) {
  return {{"seconds", MedianOf(all, [moment](const MoveTimes& one) { return one.*moment; })},
          {"mib_per_s", MedianOf(all,
                                 [moment](const MoveTimes& one) {
                                   return Rate(one.copy_bytes, one.*moment) / (1 << 20);
                                 })},
          {"of_copy",
           MedianOf(all, [moment](const MoveTimes& one) { return Rate(one.copy, one.*moment); })}};
}

}  // namespace

json::object MoveBench::Report() const {
  json::array moves;
  for (const MoveTimes& one : times_) {
    moves.push_back({{"bytes", one.bytes},
                     {"catch_up_s", one.catch_up},
                     {"verify_s", one.verify},
                     {"seal_s", one.seal},
                     {"done_s", one.done},
                     {"switch_pause_ms", one.pause_ms ? json::value(*one.pause_ms) : json::value()},
                     {"copy_bytes", one.copy_bytes},
                     {"copy_s", one.copy}});
  }
  const auto copied = [](const MoveTimes& one) { return Rate(one.copy_bytes, one.copy); };
  return {{"benchmark", "move"},
          {"version", DECREE_VERSION},
          {"machine", MachineJson(sync_us_)},
          {"settings",
           json::object{
               {"mib", args_.mib}, {"value_bytes", args_.value_bytes}, {"moves", args_.moves}}},
          {"moves", std::move(moves)},
          {"copy_mib_per_s", MedianOf(times_, copied) / (1 << 20)},
          {"up_to_catch_up", SpeedJson(times_, &MoveTimes::catch_up)},
          {"up_to_verify", SpeedJson(times_, &MoveTimes::verify)},
          {"verified", SpeedJson(times_, &MoveTimes::seal)},
          {"done", SpeedJson(times_, &MoveTimes::done)}};
}

void MoveBench::Print(const json::object& report) const {
  Table table{{"UP TO", "SECONDS", "MIB/S", "OF CP + SYNC"}, {}};
  for (const char* name : {"up_to_catch_up", "up_to_verify", "verified", "done"}) {
    const json::value& one = report.at(name);
    table.rows.push_back({name, Digits(one.at("seconds")), Digits(one.at("mib_per_s"), 0),
                          Digits(one.at("of_copy"))});
  }
  context_.Show(json::value(report), table);
  context_.out << "medians of " << times_.size() << " moves; cp + sync "
               << Digits(report.at("copy_mib_per_s"), 0) << " MiB/s" << std::endl;
}

}  // namespace decree::cli

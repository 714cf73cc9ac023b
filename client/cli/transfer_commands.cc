// import and export
#include <filesystem>
#include <fstream>
#include <iostream>

#include "client/cli/context.h"
#include "client/cli/importer.h"
#include "client/cli/interrupt.h"
#include "client/cli/progress.h"
#include "client/cli/rows.h"

namespace decree::cli {
namespace {

// Records wait through elections and moves rather than fail.
constexpr std::chrono::milliseconds kPatience{15'000};

struct ImportArgs {
  std::string file;
  std::size_t in_flight = 256;
  std::uint64_t skip = 0;
  bool resume = false;
};

std::string StatePath(const std::string& file) { return file + ".decree-import"; }

// How far an earlier import of this very file came: "<line> <file size>".
std::uint64_t ReadState(const std::string& file) {
  std::ifstream state(StatePath(file));
  std::uint64_t line = 0;
  std::uintmax_t size = 0;
  state >> line >> size;
  std::error_code ignored;
  return state && size == std::filesystem::file_size(file, ignored) ? line : 0;
}

void WriteState(const std::string& file, std::uint64_t line) {
  std::error_code ignored;
  const std::string next = StatePath(file) + ".new";
  std::ofstream(next) << line << ' ' << std::filesystem::file_size(file, ignored) << '\n';
  std::filesystem::rename(next, StatePath(file), ignored);
}

class ImportRun {
 public:
  ImportRun(Context& context, const ImportArgs& args, std::istream& in)
      : context_(context),
        args_(args),
        reader_(in),
        importer_(context.db(), args.in_flight, std::max(context.timeout(), kPatience)) {}

  int Run() {
    const std::uint64_t skip = args_.resume ? ReadState(args_.file) : args_.skip;
    if (skip > 0) context_.err << "going on after line " << skip << '\n';
    const InterruptGuard guard;
    Progress progress(context_.err, context_.err_is_terminal, "import", TotalBytes());
    while (!Interrupted() && !importer_.cut_off()) {
      auto record = reader_.Next();
      if (!record) break;
      Take(std::move(*record), skip);
      if (reader_.line() % 64 == 0) progress.Update(reader_.bytes(), Note());
      if (reader_.line() % 4096 == 0) SaveState();
    }
    importer_.Drain();
    progress.Finish(reader_.bytes(), Note());
    return Report();
  }

 private:
  bool from_file() const { return args_.file != "-"; }
  std::uint64_t TotalBytes() const {
    std::error_code none;
    const auto size = from_file() ? std::filesystem::file_size(args_.file, none) : 0;
    return none ? 0 : size;
  }
  std::string Note() const {
    std::string note = FormatCount(static_cast<double>(importer_.written())) + " records";
    if (importer_.failed() > 0) note += ", " + std::to_string(importer_.failed()) + " failed";
    return note;
  }
  void Take(Result<Record> record, std::uint64_t skip) {
    if (reader_.line() <= skip) return;
    if (record) {
      importer_.Put(reader_.line(), std::move(*record));
    } else {
      importer_.Reject(reader_.line(), record.error());
    }
  }
  void SaveState() const {
    if (from_file() && importer_.done_up_to() > 0) WriteState(args_.file, importer_.done_up_to());
  }

  int Report() {
    for (const std::string& error : importer_.errors()) context_.err << "error: " << error << '\n';
    const std::uint64_t hidden = importer_.failed() - importer_.errors().size();
    if (hidden > 0) context_.err << "error: and " << hidden << " more\n";
    if (importer_.cut_off()) context_.err << "error: the cluster does not answer: stopped\n";
    if (context_.json_wanted()) {
      const json::object answer{{"written", importer_.written()}, {"failed", importer_.failed()}};
      context_.out << json::serialize(answer) << '\n';
    }
    const bool complete = importer_.failed() == 0 && !Interrupted();
    std::error_code ignored;
    if (complete && from_file()) std::filesystem::remove(StatePath(args_.file), ignored);
    if (complete) return kExitOk;
    SaveState();
    if (from_file()) {
      context_.err << "  next: mend it and run `decree import --resume " << args_.file << "`\n";
    }
    return Interrupted() ? kExitInterrupted : kExitError;
  }

  Context& context_;
  const ImportArgs& args_;
  RecordReader reader_;
  Importer importer_;
};

int Import(Context& context, const ImportArgs& args) {
  if (args.file == "-") return ImportRun(context, args, context.in).Run();
  std::ifstream file(args.file, std::ios::binary);
  if (!file || std::filesystem::is_directory(args.file)) {
    return context.FailWith(kExitError, "cannot read " + args.file);
  }
  return ImportRun(context, args, file).Run();
}

// ---- export ----

struct ExportArgs {
  std::string file;
  std::string format = "jsonl";
  std::string prefix;
};

// Writes one shard, page by page.
Status ExportShard(Client& db, std::uint32_t shard, const ExportArgs& args,
                   std::chrono::milliseconds timeout, std::ostream& out, std::uint64_t& rows) {
  ScanOptions options;
  options.prefix = args.prefix;
  options.limit = 500;
  options.read.timeout = timeout;
  const auto format = args.format == "tsv" ? RecordFormat::kTsv : RecordFormat::kJsonLines;
  while (true) {
    auto page = db.ScanShard(shard, options);
    if (!page) return page.error();
    for (Row& row : page->rows) {
      options.after = row.key;
      out << ToLine(format, {std::move(row.key), std::move(row.value)}) << '\n';
      ++rows;
    }
    if (page->complete) return {};
    if (page->rows.empty() || Interrupted()) {
      return Error(Interrupted() ? Errc::kCancelled : Errc::kCorruption,
                   "shard " + std::to_string(shard) + " ended early");
    }
  }
}

int ExportTo(Context& context, const ExportArgs& args, std::ostream& out) {
  const auto timeout = std::max(context.timeout(), kPatience);
  const auto shards = context.db().ShardCount();
  if (!shards) return context.Fail(shards.error());
  const InterruptGuard guard;
  Progress progress(context.err, context.err_is_terminal, "export", *shards);
  std::uint64_t rows = 0;
  for (std::uint32_t shard = 0; shard < *shards; ++shard) {
    const auto done = ExportShard(context.db(), shard, args, timeout, out, rows);
    if (!done) return context.Fail(done.error());
    progress.Update(shard + 1, FormatCount(static_cast<double>(rows)) + " records");
  }
  out.flush();
  progress.Finish(*shards, FormatCount(static_cast<double>(rows)) + " records");
  return out ? kExitOk : context.FailWith(kExitError, "cannot write to " + args.file);
}

// Appears under its name only when it is complete.
int Export(Context& context, const ExportArgs& args) {
  if (args.file == "-") return ExportTo(context, args, context.out);
  const std::string partial = args.file + ".part";
  std::ofstream file(partial, std::ios::binary);
  if (!file) return context.FailWith(kExitError, "cannot write to " + partial);
  int exit = ExportTo(context, args, file);
  file.close();
  std::error_code failed;
  if (exit == kExitOk) std::filesystem::rename(partial, args.file, failed);
  if (failed) exit = context.FailWith(kExitError, args.file + ": " + failed.message());
  if (exit != kExitOk) std::filesystem::remove(partial, failed);
  return exit;
}

constexpr char kImportHelp[] =
    "write records: JSON lines {\"key\":..,\"value\":..} or TSV; - reads standard input";

void AddImport(CLI::App& app, Context& context) {
  auto args = std::make_shared<ImportArgs>();
  auto* command = app.add_subcommand("import", kImportHelp);
  command->add_option("FILE", args->file, "the records")->required();
  command->add_option("--in-flight", args->in_flight, "writes under way at once")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  auto* resume = command->add_flag("--resume", args->resume, "go on where an earlier import ended");
  command->add_option("--skip", args->skip, "leave out the first N lines")->excludes(resume);
  command->callback(
      [&context, args] { context.run = [args](Context& c) { return Import(c, *args); }; });
}

void AddExport(CLI::App& app, Context& context) {
  auto args = std::make_shared<ExportArgs>();
  auto* dump = app.add_subcommand("export", "write every record to a file; - is standard output");
  dump->add_option("FILE", args->file, "where to")->required();
  dump->add_option("--format", args->format, "jsonl or tsv")
      ->check(CLI::IsMember({"jsonl", "tsv"}))
      ->capture_default_str();
  dump->add_option("--prefix", args->prefix, "only keys that start with it");
  dump->callback(
      [&context, args] { context.run = [args](Context& c) { return Export(c, *args); }; });
}

}  // namespace

void AddTransferCommands(CLI::App& app, Context& context) {
  AddImport(app, context);
  AddExport(app, context);
}

}  // namespace decree::cli

// get put del cas scan
#include <algorithm>
#include <iostream>
#include <iterator>
#include <optional>

#include "client/cli/context.h"
#include "client/cli/rows.h"

namespace decree::cli {
namespace {

struct KeyArgs {
  std::string key;
  bool hex = false;
  bool stale = false;
};

struct WriteArgs {
  KeyArgs key;
  std::string value;
  std::string old_value;
  std::string ttl;
  std::optional<std::uint64_t> if_version;
  bool if_absent = false;
};

Result<std::string> KeyOf(const KeyArgs& args) {
  if (!args.hex) return args.key;
  std::string bytes;
  if (FromHex(args.key, &bytes)) return bytes;
  return Error(Errc::kInvalidArgument, "not hex digits in pairs: '" + args.key + "'");
}

Result<WriteOptions> OptionsOf(const WriteArgs& args) {
  WriteOptions options;
  options.if_absent = args.if_absent;
  if (args.if_version) options.if_version = Version{*args.if_version};
  if (args.ttl.empty()) return options;
  auto ttl = ParseDuration(args.ttl);
  if (!ttl) return ttl.error();
  options.ttl = *ttl;
  return options;
}

int PrintVersion(Context& context, const Result<Version>& version) {
  if (!version) return context.Fail(version.error());
  if (context.json_wanted()) {
    const json::object answer{{"version", std::to_string(version->value)}};
    context.out << json::serialize(answer) << '\n';
  } else if (context.format() == Format::kTable) {
    context.out << "version " << version->value << '\n';
  } else {
    context.out << version->value << '\n';
  }
  return kExitOk;
}

// The bytes as they are; the newline is for people only.
int PrintValue(Context& context, const std::string& key, const Value& value) {
  if (context.json_wanted()) {
    json::object answer = KeyValueJson(key, value.value, "_b64");
    answer["version"] = std::to_string(value.version.value);
    context.out << json::serialize(answer) << '\n';
    return kExitOk;
  }
  context.out << value.value;
  if (context.out_is_terminal && !value.value.ends_with('\n')) context.out << '\n';
  return kExitOk;
}

int Get(Context& context, const KeyArgs& args) {
  const auto key = KeyOf(args);
  if (!key) return context.Fail(key.error());
  ReadOptions options;
  if (args.stale) options.consistency = Consistency::kStale;
  const auto value = context.db().Get(*key, options);
  if (value) return PrintValue(context, *key, *value);
  // A read changes nothing, so there is no outcome to be unsure of.
  if (value.error() == Errc::kOutcomeUnknown) {
    return context.Fail(Error(Errc::kUnavailable, "no answer in time"));
  }
  return context.Fail(value.error());
}

int Put(Context& context, const WriteArgs& args) {
  const auto key = KeyOf(args.key);
  if (!key) return context.Fail(key.error());
  const auto options = OptionsOf(args);
  if (!options) return context.Fail(options.error());
  if (args.value != "-") return PrintVersion(context, context.db().Put(*key, args.value, *options));
  const std::string value{std::istreambuf_iterator<char>(context.in), {}};
  return PrintVersion(context, context.db().Put(*key, value, *options));
}

// ---- scan ----

struct ScanArgs {
  std::string prefix;
  std::string start;
  std::string end;
  std::uint64_t limit = 0;
  bool keys_only = false;
  bool hex = false;
  bool stale = false;
};

constexpr std::uint32_t kScanPage = 1000;

Result<ScanOptions> OptionsOf(const ScanArgs& args) {
  ScanOptions options;
  const std::pair<const std::string*, std::string*> keys[] = {
      {&args.prefix, &options.prefix}, {&args.start, &options.start}, {&args.end, &options.end}};
  for (const auto& [given, bytes] : keys) {
    const auto key = KeyOf({*given, args.hex, false});
    if (!key) return key.error();
    *bytes = *key;
  }
  options.keys_only = args.keys_only;
  if (args.stale) options.read.consistency = Consistency::kStale;
  return options;
}

// One after the other, as they come: JSON is one object whatever its length.
class RowPrinter {
 public:
  RowPrinter(Context& context, const ScanArgs& args) : context_(context), args_(args) {
    if (context_.json_wanted()) context_.out << "{\"items\":[";
  }
  void Print(const Row& row) {
    if (context_.json_wanted()) {
      json::object item = KeyValueJson(row.key, row.value, "_b64");
      if (args_.keys_only) item.erase("value");
      item["version"] = std::to_string(row.version.value);
      context_.out << (rows_ == 0 ? "" : ",") << json::serialize(item);
    } else if (args_.keys_only) {
      context_.out << EscapeTsv(args_.hex ? ToHex(row.key) : row.key) << '\n';
    } else {
      context_.out << EscapeTsv(args_.hex ? ToHex(row.key) : row.key) << '\t'
                   << EscapeTsv(row.value) << '\n';
    }
    ++rows_;
  }
  void End(bool complete) {
    if (!context_.json_wanted()) return;
    context_.out << "],\"complete\":" << (complete ? "true" : "false") << "}\n";
  }
  std::uint64_t rows() const { return rows_; }

 private:
  Context& context_;
  const ScanArgs& args_;
  std::uint64_t rows_ = 0;
};

int Scan(Context& context, const ScanArgs& args) {
  auto options = OptionsOf(args);
  if (!options) return context.Fail(options.error());
  RowPrinter printer(context, args);
  bool complete = false;
  while (!complete && (args.limit == 0 || printer.rows() < args.limit)) {
    const std::uint64_t left = args.limit == 0 ? kScanPage : args.limit - printer.rows();
    options->limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, kScanPage));
    const auto page = context.db().Scan(*options);
    if (!page) return context.Fail(page.error());
    for (const Row& row : page->rows) printer.Print(row);
    if (!page->rows.empty()) options->after = page->rows.back().key;
    complete = page->complete;
  }
  printer.End(complete);
  return kExitOk;
}

int Del(Context& context, const WriteArgs& args) {
  const auto key = KeyOf(args.key);
  if (!key) return context.Fail(key.error());
  const auto options = OptionsOf(args);
  if (!options) return context.Fail(options.error());
  const auto removed = context.db().Del(*key, *options);
  if (!removed) return context.Fail(removed.error());
  if (context.json_wanted()) {
    context.out << json::serialize(json::object{{"removed", *removed}}) << '\n';
  } else {
    context.out << (*removed ? "removed" : "there was none") << '\n';
  }
  return kExitOk;
}

int Cas(Context& context, const WriteArgs& args) {
  const auto key = KeyOf(args.key);
  if (!key) return context.Fail(key.error());
  const auto options = OptionsOf(args);
  if (!options) return context.Fail(options.error());
  return PrintVersion(context, context.db().Cas(*key, args.old_value, args.value, *options));
}

void AddKey(CLI::App* command, KeyArgs& key) {
  command->add_option("KEY", key.key, "the key")->required();
  command->add_flag("--hex", key.hex, "KEY is given as hex digits");
}

void AddGet(CLI::App& app, Context& context) {
  auto args = std::make_shared<KeyArgs>();
  auto* get = app.add_subcommand("get", "print a key's value");
  AddKey(get, *args);
  get->add_flag("--stale", args->stale, "any replica may answer from what it has applied");
  get->callback([&context, args] { context.run = [args](Context& c) { return Get(c, *args); }; });
}

void AddPut(CLI::App& app, Context& context) {
  auto args = std::make_shared<WriteArgs>();
  auto* put = app.add_subcommand("put", "write a key");
  AddKey(put, args->key);
  put->add_option("VALUE", args->value, "the value; - reads standard input")->required();
  put->add_option("--ttl", args->ttl, "gone after this, such as 30s");
  auto* version = put->add_option("--if-version", args->if_version, "only if it has this version");
  put->add_flag("--if-absent", args->if_absent, "only if there is none")->excludes(version);
  put->callback([&context, args] { context.run = [args](Context& c) { return Put(c, *args); }; });
}

void AddDel(CLI::App& app, Context& context) {
  auto args = std::make_shared<WriteArgs>();
  auto* del = app.add_subcommand("del", "delete a key");
  AddKey(del, args->key);
  del->add_option("--if-version", args->if_version, "only if it has this version");
  del->callback([&context, args] { context.run = [args](Context& c) { return Del(c, *args); }; });
}

void AddCas(CLI::App& app, Context& context) {
  auto args = std::make_shared<WriteArgs>();
  auto* cas = app.add_subcommand("cas", "replace a value that is still OLD by NEW");
  AddKey(cas, args->key);
  cas->add_option("OLD", args->old_value, "what it must be now")->required();
  cas->add_option("NEW", args->value, "what it becomes")->required();
  cas->add_option("--ttl", args->ttl, "gone after this, such as 30s");
  cas->callback([&context, args] { context.run = [args](Context& c) { return Cas(c, *args); }; });
}

void AddScan(CLI::App& app, Context& context) {
  auto args = std::make_shared<ScanArgs>();
  auto* scan = app.add_subcommand("scan", "print keys and values in key order, over all shards");
  scan->add_option("--prefix", args->prefix, "only keys that start with it");
  scan->add_option("--start", args->start, "only keys from this one on");
  scan->add_option("--end", args->end, "only keys below this one");
  scan->add_option("--limit", args->limit, "at most so many; 0: all")->capture_default_str();
  scan->add_flag("--keys-only", args->keys_only, "no values");
  scan->add_flag("--hex", args->hex, "keys are given and printed as hex digits");
  scan->add_flag("--stale", args->stale, "any replica may answer from what it has applied");
  scan->callback([&context, args] { context.run = [args](Context& c) { return Scan(c, *args); }; });
}

}  // namespace

void AddDataCommands(CLI::App& app, Context& context) {
  AddGet(app, context);
  AddPut(app, context);
  AddDel(app, context);
  AddCas(app, context);
  AddScan(app, context);
}

}  // namespace decree::cli

// get put del cas scan
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

}  // namespace

void AddDataCommands(CLI::App& app, Context& context) {
  AddGet(app, context);
  AddPut(app, context);
  AddDel(app, context);
  AddCas(app, context);
}

}  // namespace decree::cli

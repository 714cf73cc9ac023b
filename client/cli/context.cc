#include "client/cli/context.h"

#include <iostream>

namespace decree::cli {
namespace {

std::string NextStep(Errc code) {
  switch (code) {
    case Errc::kUnavailable:
    case Errc::kDeadlineExceeded:
      return "is a node running there? See `decree status`, --endpoints (DECREE_ENDPOINTS), "
             "--timeout";
    case Errc::kOutcomeUnknown:
      return "it may have been applied: look with `decree get` before repeating it";
    case Errc::kPreconditionFailed:
      return "read the present value and version with `decree -o json get`";
    case Errc::kWrongCluster:
      return "give --endpoints of one cluster only";
    default:
      return {};
  }
}

}  // namespace

Status Context::Prepare() {
  auto timeout = ParseDuration(timeout_text);
  if (!timeout) return timeout.error();
  timeout_ = *timeout;
  if (format_text.empty()) format_ = out_is_terminal ? Format::kTable : Format::kPlain;
  if (format_text == "table") format_ = Format::kTable;
  if (format_text == "plain") format_ = Format::kPlain;
  if (format_text == "json") format_ = Format::kJson;
  const auto options = ParseClientUri("decree://" + endpoints);
  if (!options) return options.error();
  return {};
}

Result<Client> Context::Connect(std::chrono::milliseconds timeout) const {
  auto options = ParseClientUri("decree://" + endpoints);
  if (!options) return options.error();
  options->timeout = timeout;
  return Client::Connect(*options);
}

Client& Context::db() {
  if (!client_) client_.emplace(*Connect(timeout_));  // Prepare has checked the options
  return *client_;
}

int Context::FailWith(int exit, const std::string& what, const std::string& next_step) {
  err << "error: " << what << '\n';
  if (!next_step.empty()) err << "  next: " << next_step << '\n';
  return exit;
}

int Context::Fail(const Error& error) {
  return FailWith(ExitOf(error.code()), error.ToString(), NextStep(error.code()));
}

std::optional<json::value> Context::Admin(const char* method, const std::string& target,
                                          const json::value& body, int* exit) {
  const std::string text = body.is_null() ? std::string() : json::serialize(body);
  const auto reply = db().Admin(method, target, text, timeout_);
  if (!reply) {
    *exit = Fail(reply.error());
    return std::nullopt;
  }
  boost::system::error_code bad;
  json::value answer = reply->body.empty() ? json::value() : json::parse(reply->body, bad);
  if (reply->status >= 400) {
    const std::string detail =
        At(answer, "detail").is_null() ? reply->body : Field(answer, "detail");
    *exit = FailWith(ExitOfStatus(reply->status), Field(answer, "code") + ": " + detail);
    return std::nullopt;
  }
  if (bad) {
    *exit = FailWith(kExitError, "the answer is not JSON: " + reply->body);
    return std::nullopt;
  }
  return answer;
}

int Context::AdminDo(const char* method, const std::string& target, const json::value& body,
                     const std::string& done) {
  int exit = kExitOk;
  const auto answer = Admin(method, target, body, &exit);
  if (!answer) return exit;
  if (json_wanted()) {
    out << json::serialize(answer->is_null() ? json::value(json::object()) : *answer) << '\n';
  } else {
    out << done << '\n';
  }
  return kExitOk;
}

int Context::Show(const json::value& answer, const Table& table) {
  if (json_wanted()) {
    out << json::serialize(answer) << '\n';
  } else {
    PrintTable(out, format_, table);
  }
  return kExitOk;
}

int RunCli(const std::vector<std::string>& arguments, Context& context) {
  CLI::App app("Decree: a sharded, replicated key-value store", "decree");
  app.set_version_flag("--version", DECREE_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--endpoints", context.endpoints, "HOST:PORT,... of nodes (their --listen)")
      ->envname("DECREE_ENDPOINTS")
      ->capture_default_str();
  app.add_option("--timeout", context.timeout_text, "of one operation, such as 500ms or 2s")
      ->capture_default_str();
  app.add_option("-o,--output", context.format_text, "table, json or plain")
      ->check(CLI::IsMember({"table", "json", "plain"}));
  for (const auto add :
       {AddDataCommands, AddTransferCommands, AddClusterCommands, AddShardCommands, AddMoveCommands,
        AddPlanCommands, AddLogCommand, AddCheckCommand, AddDevCommand, AddDemoCommand,
        AddBenchCommand, AddCompletionCommand, AddManualCommand}) {
    add(app, context);
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error, context.out, context.err) == 0 ? kExitOk : kExitUsage;
  }
  if (auto ok = context.Prepare(); !ok) {
    context.Fail(ok.error());
    return kExitUsage;
  }
  return context.run ? context.run(context) : static_cast<int>(kExitUsage);
}

}  // namespace decree::cli

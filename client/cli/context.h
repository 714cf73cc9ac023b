// What every command has at hand: the global options, a client made when it is first needed, and
// the streams. Streams are given, so that tests run commands inside their own process.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "decree/client.h"

namespace decree::cli {

class Context {
 public:
  Context(std::istream& in, std::ostream& out, std::ostream& err) : in(in), out(out), err(err) {}

  std::istream& in;
  std::ostream& out;
  std::ostream& err;

  // Global options as given; Prepare checks them.
  std::string endpoints = "127.0.0.1:4740";
  std::string timeout_text = "2s";
  std::string format_text;
  bool out_is_terminal = false;
  bool err_is_terminal = false;

  // Set by the subcommand that was chosen.
  std::function<int(Context&)> run;

  Status Prepare();
  Format format() const { return format_; }
  bool json_wanted() const { return format_ == Format::kJson; }
  std::chrono::milliseconds timeout() const { return timeout_; }
  Result<Client> Connect(std::chrono::milliseconds timeout) const;
  Client& db();

  // Prints the error and what to try next to `err`; returns the exit status.
  int Fail(const Error& error);
  int FailWith(int exit, const std::string& what, const std::string& next_step = {});

  // One administrative call. Without a value: it failed, was reported, and `*exit` is set.
  std::optional<json::value> Admin(const char* method, const std::string& target,
                                   const json::value& body, int* exit);
  std::optional<json::value> AdminGet(const std::string& target, int* exit) {
    return Admin("GET", target, json::value(), exit);
  }
  // For calls whose answer is of no interest: says `done` unless JSON was asked for.
  int AdminDo(const char* method, const std::string& target, const json::value& body,
              const std::string& done);
  // JSON if asked for (the answer as it came), else the table.
  int Show(const json::value& answer, const Table& table);

 private:
  Format format_ = Format::kPlain;
  std::chrono::milliseconds timeout_ = kDefaultTimeout;
  std::optional<Client> client_;
};

// Each adds its commands; one file a group.
void AddDataCommands(CLI::App& app, Context& context);
void AddTransferCommands(CLI::App& app, Context& context);  // import, export
void AddClusterCommands(CLI::App& app, Context& context);   // status, node
void AddShardCommands(CLI::App& app, Context& context);
void AddMoveCommands(CLI::App& app, Context& context);
void AddPlanCommands(CLI::App& app, Context& context);  // plan, rebalance
void AddLogCommand(CLI::App& app, Context& context);
void AddCheckCommand(CLI::App& app, Context& context);
void AddDevCommand(CLI::App& app, Context& context);
void AddDemoCommand(CLI::App& app, Context& context);
void AddBenchCommand(CLI::App& app, Context& context);
void AddCompletionCommand(CLI::App& app, Context& context);
void AddManualCommand(CLI::App& app, Context& context);

// The whole program: arguments without the program's name; returns the exit status.
int RunCli(const std::vector<std::string>& arguments, Context& context);

}  // namespace decree::cli

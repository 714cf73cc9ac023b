// decreed: a thin wrapper around net::Server: flags, signals, log, exit codes.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>

#include "kv/store/file_limit.h"
#include "server/config.h"
#include "server/daemon_log.h"
#include "server/net/names.h"
#include "server/net/server.h"
#include "server/service_notify.h"

namespace decree {
namespace {

constexpr Duration kGrace = std::chrono::seconds(10);
constexpr int kReadySignal = SIGUSR1;  // from our own worker to the main thread

// What a worker tells the main thread.
struct Readiness {
  Status status;
  std::atomic<bool> known{false};
};

class Daemon {
 public:
  Daemon(std::vector<std::string> arguments, DaemonConfig config)
      : arguments_(std::move(arguments)),
        config_(std::move(config)),
        log_(OpenDaemonLog(config_.log_format, config_.log_level)) {}

  int Run();

 private:
  int Serve();
  int AwaitSignal();
  bool OnReady();
  int NextSignal();
  bool WritePortsFile() const;
  void RereadLogLevel();
  int Fail(const std::string& what, const Error& error);
  void Log(LogLevel level, const std::string& line) const { log_(level, line); }

  const std::vector<std::string> arguments_;
  DaemonConfig config_;
  const LogSink log_;
  ServiceNotify notify_{::getenv};
  std::unique_ptr<net::Server> server_;
  std::optional<WorkersPulse> pulse_;
  std::shared_ptr<Readiness> readiness_ = std::make_shared<Readiness>();
};

sigset_t OurSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, kReadySignal}) sigaddset(&set, signal);
  return set;
}

int Daemon::Fail(const std::string& what, const Error& error) {
  Log(LogLevel::kError, what + ": " + error.ToString());
  return error == Errc::kInvalidArgument ? 2 : 1;
}

int Daemon::Run() {
  net::ServerOptions options = config_.server;
  options.log = log_;
  options.on_fatal = [log = log_](const std::string& reason) {
    log(LogLevel::kError, "stopped by a failed check: " + reason);
    std::abort();
  };
  options.on_disks_lost = [log = log_](const std::string& reason) {
    log(LogLevel::kError, reason);
    ::_exit(1);
  };
  auto server = net::Server::Create(std::move(options));
  if (!server) return Fail("cannot start", server.error());
  server_ = std::move(*server);
  const net::ServerPorts ports = server_->ports();
  Log(LogLevel::kInfo, "decreed " DECREE_VERSION " listens for peers and clients on port " +
                           std::to_string(ports.rpc) + ", for HTTP on port " +
                           std::to_string(ports.http));
  if (server_->rejoins()) {
    for (const std::string& given : config_.for_new_cluster) {
      Log(LogLevel::kWarn,
          given + " is ignored: there is data already, and it is for new clusters");
    }
  }
  return Serve();
}

int Daemon::Serve() {
  pulse_.emplace(*server_);
  server_->Start([readiness = readiness_](Status status) {
    readiness->status = std::move(status);
    readiness->known = true;
    ::kill(::getpid(), kReadySignal);
  });
  const int code = AwaitSignal();
  notify_.Stopping();
  ::signal(kReadySignal, SIG_IGN);  // a start that is cut off here is over, too
  // From here on a second signal ends the process at once.
  for (const int signal : {SIGTERM, SIGINT}) ::signal(signal, [](int) { ::_exit(1); });
  const sigset_t set = OurSignals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  server_->Stop(code == 0 ? kGrace : Duration{0});
  server_.reset();
  Log(LogLevel::kInfo, "stopped");
  return code;
}

// Meanwhile a service manager that watches this process hears of it, as long as all workers get to
// their work: one that hangs is a reason to be started again.
int Daemon::NextSignal() {
  const sigset_t set = OurSignals();
  for (;;) {
    int signal = -1;
    if (!notify_.watchdog()) {
      if (::sigwait(&set, &signal) == 0) return signal;
      continue;
    }
    const auto wait =
        std::chrono::duration_cast<std::chrono::microseconds>(*notify_.watchdog() / 3);
    const timespec time{wait.count() / 1'000'000, wait.count() % 1'000'000 * 1'000};
    signal = ::sigtimedwait(&set, nullptr, &time);
    if (signal > 0) return signal;
    if (pulse_->Beat()) notify_.Alive();
  }
}

// Until the first SIGTERM or SIGINT, or until the node cannot start.
int Daemon::AwaitSignal() {
  for (;;) {
    const int signal = NextSignal();
    if (signal == kReadySignal && readiness_->known) {
      if (!OnReady()) return 1;
    } else if (signal == SIGHUP) {
      RereadLogLevel();
    } else if (signal == SIGTERM || signal == SIGINT) {
      Log(LogLevel::kInfo, "stopping: leaderships are handed over, requests in flight finish");
      return 0;
    }
  }
}

bool Daemon::OnReady() {
  if (!readiness_->status) {
    Fail("cannot serve", readiness_->status.error());
    return false;
  }
  const std::string who = "node " + ToString(server_->core().id()) + " of cluster " +
                          net::ClusterName(server_->core().cluster());
  Log(LogLevel::kInfo, who + " serves");
  if (!WritePortsFile()) return false;
  notify_.Ready(who);
  return true;
}

// A reader sees the whole file or none: it is renamed into place.
bool Daemon::WritePortsFile() const {
  const std::string& path = config_.ports_file;
  if (path.empty()) return true;
  const std::string temporary = path + "." + std::to_string(::getpid()) + ".tmp";
  std::ofstream file(temporary);
  const net::ServerPorts ports = server_->ports();
  file << "{\"rpc\":" << ports.rpc << ",\"http\":" << ports.http
       << ",\"node\":" << server_->core().id().value << "}\n";
  file.close();
  if (file && std::rename(temporary.c_str(), path.c_str()) == 0) return true;
  Log(LogLevel::kError, "cannot write the ports file '" + path + "'");
  std::remove(temporary.c_str());
  return false;
}

void Daemon::RereadLogLevel() {
  const ConfigOutcome outcome = LoadConfig(arguments_, ::getenv);
  if (!outcome.run) return Log(LogLevel::kError, "configuration not read again: " + outcome.text);
  SetDaemonLogLevel(outcome.config.log_level);
  Log(LogLevel::kInfo, "log level read again");
}

int Main(std::vector<std::string> arguments) {
  ConfigOutcome outcome = LoadConfig(arguments, ::getenv);
  if (!outcome.run) {
    std::fputs(outcome.text.c_str(), outcome.exit_code == 0 ? stdout : stderr);
    return outcome.exit_code;
  }
  // Blocked before any thread is there: all threads inherit it, and the main thread takes them.
  const sigset_t set = OurSignals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  store::RaiseOpenFileLimit();  // every replica holds a few files open
  return Daemon(std::move(arguments), std::move(outcome.config)).Run();
}

}  // namespace
}  // namespace decree

int main(int argc, char** argv) {
  return decree::Main(std::vector<std::string>(argv + 1, argv + argc));
}

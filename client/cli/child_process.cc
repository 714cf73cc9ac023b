#include "client/cli/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

namespace decree::cli {
namespace {

constexpr int kCannotStart = 127;

// Between fork and exec only system calls: other threads may hold any lock.
[[noreturn]] void BecomeChild(char* const* arguments, const char* log_path) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setpgid(0, 0);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (log < 0 || null < 0) _exit(kCannotStart);
  dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(arguments[0], arguments);
  _exit(kCannotStart);
}

int ToStatus(int raw) { return WIFSIGNALED(raw) ? -WTERMSIG(raw) : WEXITSTATUS(raw); }

}  // namespace

Result<ChildProcess> ChildProcess::Start(const std::vector<std::string>& arguments,
                                         const std::string& log_path) {
  if (arguments.empty() || access(arguments[0].c_str(), X_OK) != 0) {
    return Error(Errc::kNotFound,
                 "no such program: " + (arguments.empty() ? std::string() : arguments[0]));
  }
  std::vector<char*> raw;
  for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return Error(Errc::kIo, std::string("fork: ") + std::strerror(errno));
  if (pid == 0) BecomeChild(raw.data(), log_path.c_str());
  return ChildProcess(pid);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), asked_(other.asked_), status_(other.status_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this == &other) return *this;
  Kill();
  pid_ = std::exchange(other.pid_, -1);
  asked_ = other.asked_;
  status_ = other.status_;
  return *this;
}

ChildProcess::~ChildProcess() { Kill(); }

bool ChildProcess::Running() {
  if (pid_ < 0 || status_) return false;
  int raw = 0;
  if (waitpid(pid_, &raw, WNOHANG) == pid_) status_ = ToStatus(raw);
  return !status_;
}

void ChildProcess::Kill() {
  if (!Running()) return;
  kill(pid_, SIGKILL);
  int raw = 0;
  if (waitpid(pid_, &raw, 0) == pid_) status_ = ToStatus(raw);
}

void ChildProcess::AskToStop() {
  if (!asked_ && Running()) kill(pid_, SIGTERM);
  asked_ = true;
}

int ChildProcess::Stop(std::chrono::milliseconds grace) {
  const auto deadline = std::chrono::steady_clock::now() + grace;
  AskToStop();
  while (Running() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  Kill();
  return status_.value_or(0);
}

std::string ProgramBeside(const std::string& name) {
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) return {};
  const auto path = self.parent_path() / name;
  return std::filesystem::exists(path, failed) ? path.string() : std::string();
}

}  // namespace decree::cli

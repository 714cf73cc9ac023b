#include "tests/sim/seed_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

#include "kv/base/check.h"

namespace decree::sim {
namespace {

// A run that never ends is a failure, too.
constexpr rlim_t kMaxProcessorSeconds = 1'800;

// A seed lives half a second and allocates all the time: a heap of huge pages that is never given
// back costs a fifth less processor time (6.3 s against 5.1 s for 20 seeds). Read by glibc at exec.
constexpr char kHeapTunables[] =
    "glibc.malloc.hugetlb=1:glibc.malloc.top_pad=16000000:glibc.malloc.trim_threshold=1000000000:"
    "glibc.malloc.mmap_threshold=1000000000";

std::string HowItEnded(int status) {
  if (WIFSIGNALED(status)) {
    return "the run ended by signal " + std::to_string(WTERMSIG(status)) + " (" +
           strsignal(WTERMSIG(status)) + ")";
  }
  return "the run ended without a report, with exit code " + std::to_string(WEXITSTATUS(status));
}

[[noreturn]] void Become(std::vector<std::string> arguments) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit limit{kMaxProcessorSeconds, kMaxProcessorSeconds + 10};
  setrlimit(RLIMIT_CPU, &limit);
  setenv("GLIBC_TUNABLES", kHeapTunables, 0);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  execv("/proc/self/exe", pointers.data());
  _exit(127);
}

}  // namespace

SeedProcesses::~SeedProcesses() {
  for (auto& [pipe, child] : children_) {
    kill(child.pid, SIGKILL);
    waitpid(child.pid, nullptr, 0);
    close(pipe);
  }
}

std::vector<std::string> SeedProcesses::ArgumentsOf(const SeedJob& job, int pipe) const {
  std::vector<std::string> arguments{"decree-sim", "--seed", std::to_string(job.seed),
                                     "--report-to", std::to_string(pipe)};
  if (job.faults) arguments.insert(arguments.end(), {"--faults", ListOf(*job.faults)});
  arguments.insert(arguments.end(), common_.begin(), common_.end());
  return arguments;
}

void SeedProcesses::Start(const SeedJob& job, Done done) {
  int ends[2];
  DECREE_CHECK(pipe(ends) == 0);
  const std::vector<std::string> arguments = ArgumentsOf(job, ends[1]);
  const pid_t pid = fork();
  DECREE_CHECK(pid >= 0);
  if (pid == 0) {
    close(ends[0]);
    for (const auto& [other, child] : children_) close(other);
    Become(arguments);
  }
  close(ends[1]);
  children_[ends[0]] = {job, pid, {}, std::move(done)};
}

void SeedProcesses::WaitForOne() {
  for (;;) {
    std::vector<pollfd> pipes;
    for (const auto& [pipe, child] : children_) pipes.push_back({pipe, POLLIN, 0});
    if (poll(pipes.data(), pipes.size(), -1) < 0) continue;
    for (const pollfd& ready : pipes) {
      if (ready.revents == 0) continue;
      char buffer[65536];
      const ssize_t got = read(ready.fd, buffer, sizeof buffer);
      if (got > 0) {
        children_[ready.fd].bytes.append(buffer, static_cast<std::size_t>(got));
        continue;
      }
      return Finish(ready.fd);
    }
  }
}

void SeedProcesses::Finish(int pipe) {
  Child child = std::move(children_[pipe]);
  children_.erase(pipe);
  close(pipe);
  int status = 0;
  waitpid(child.pid, &status, 0);
  Result<SeedReport> report = Decode<SeedReport>(child.bytes);
  const bool whole = report && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!whole) {
    report = SeedReport{};
    report->seed = child.job.seed;
    report->failures.push_back(HowItEnded(status));
  }
  child.done(std::move(*report));
}

SeedReport SeedProcesses::Run(const SeedJob& job) {
  SeedReport answer;
  Start(job, [&answer](SeedReport report) { answer = std::move(report); });
  WaitForOne();
  return answer;
}

void SendReport(const SeedReport& report, int pipe) {
  const std::string bytes = Encode(report);
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t written = write(pipe, bytes.data() + at, bytes.size() - at);
    if (written <= 0) std::exit(3);  // the parent has gone
    at += static_cast<std::size_t>(written);
  }
}

std::string ListOf(const FaultNumbers& numbers) {
  std::string list;
  for (const std::uint32_t number : numbers) {
    list += (list.empty() ? "" : ",") + std::to_string(number);
  }
  return list.empty() ? "none" : list;
}

std::optional<FaultNumbers> ParseFaultNumbers(const std::string& list) {
  FaultNumbers numbers;
  if (list == "none") return numbers;
  std::istringstream items(list);
  for (std::string item; std::getline(items, item, ',');) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), number);
    if (error != std::errc() || end != item.data() + item.size()) return std::nullopt;
    numbers.insert(number);
  }
  if (numbers.empty()) return std::nullopt;
  return numbers;
}

}  // namespace decree::sim

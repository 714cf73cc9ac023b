// Seeds in processes of their own: several at a time, one crash takes one seed with it, and two
// runs of a seed share nothing but the seed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/seed_run.h"
#include "tests/sim/shorten.h"

namespace decree::sim {

struct SeedJob {
  std::uint64_t seed = 0;
  std::optional<FaultNumbers> faults;  // none given: all that the seed plans
};

class SeedProcesses {
 public:
  using Done = std::function<void(SeedReport)>;

  // `common` are arguments of this program that every child is given, too.
  explicit SeedProcesses(std::vector<std::string> common) : common_(std::move(common)) {}
  ~SeedProcesses();  // kills and waits
  SeedProcesses(const SeedProcesses&) = delete;
  SeedProcesses& operator=(const SeedProcesses&) = delete;

  void Start(const SeedJob& job, Done done);
  std::size_t running() const { return children_.size(); }
  // Waits until one has ended, and calls its `done`. A child that gave no report is a failure.
  void WaitForOne();
  SeedReport Run(const SeedJob& job);  // one job, while no other is running

 private:
  struct Child {
    SeedJob job;
    pid_t pid = 0;
    std::string bytes;
    Done done;
  };

  std::vector<std::string> ArgumentsOf(const SeedJob& job, int pipe) const;
  void Finish(int pipe);

  const std::vector<std::string> common_;
  std::map<int, Child> children_;  // by the pipe that the report comes through
};

// In the child: the report, for the parent.
void SendReport(const SeedReport& report, int pipe);
// "3,7,9" and back; nothing: it is no such list.
std::string ListOf(const FaultNumbers& numbers);
std::optional<FaultNumbers> ParseFaultNumbers(const std::string& list);

}  // namespace decree::sim

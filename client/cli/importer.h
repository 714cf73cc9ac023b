// Writes records through a client, many under way at once, and keeps count of what went wrong
// where.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "client/cli/rows.h"
#include "client/cli/window.h"
#include "decree/client.h"

namespace decree::cli {

class Importer {
 public:
  Importer(Client& db, std::size_t in_flight, std::chrono::milliseconds timeout)
      : db_(db), window_(in_flight), timeout_(timeout) {}
  ~Importer() { window_.Drain(); }

  // Waits while too many are under way. Lines must come in increasing order.
  void Put(std::uint64_t line, Record record);
  // A line that is no record.
  void Reject(std::uint64_t line, const Error& error);
  void Drain() { window_.Drain(); }

  std::uint64_t written() const { return written_; }
  std::uint64_t failed() const { return failed_; }
  // A record failed for want of a cluster, after all its tries: the others would fail as slowly.
  bool cut_off() const { return cut_off_; }
  // Everything up to this line is written: where a resumed import goes on. Stays below the first
  // line that failed, so that resuming tries it again.
  std::uint64_t done_up_to() const;
  // The first few failures, one sentence each, with their lines.
  std::vector<std::string> errors() const;

 private:
  void Start(std::uint64_t line, Record record, int tries_left);
  void Done(std::uint64_t line, const Result<Version>& result);

  Client& db_;
  Window window_;
  const std::chrono::milliseconds timeout_;
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<bool> cut_off_{false};
  mutable std::mutex mutex_;
  std::set<std::uint64_t> open_;  // lines under way, and those that failed
  std::uint64_t last_line_ = 0;
  std::vector<std::string> errors_;
};

}  // namespace decree::cli

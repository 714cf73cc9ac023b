// Bare replicas whose messages, writes and time a test moves by hand. Nothing is random: elections
// are held by ticking the one replica that shall win.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/consensus/bare_host.h"
#include "tests/consensus/describe.h"

namespace decree::consensus::testing {

struct Packet {
  Member from;
  Member to;
  Message message;
};

class ManualCluster {
 public:
  explicit ManualCluster(const Config& genesis, Options options = {});

  BareHost& operator[](std::uint64_t id) { return *hosts_.at(id); }
  Instant now() const { return now_; }
  void AddShell(std::uint64_t id);

  // Completes writes and delivers messages until nothing moves. No time passes.
  void Settle();
  // Time passes; who wanted to be woken is; everything settles at each wake-up.
  void Advance(Duration duration);
  // `id` campaigns, the others having heard nobody for a while.
  void Elect(std::uint64_t id);
  // Proposes a command at `id` and settles; the slot, or 0 if it was not taken.
  Slot Put(std::uint64_t id, const std::string& payload);
  ProposeResult Propose(std::uint64_t id, const Decree& decree);
  void Crash(std::uint64_t id, std::size_t keep_writes = 0);
  void Restart(std::uint64_t id);
  void Deliver(const Packet& packet);
  // A snapshot of `from` as applied there.
  void Snapshot(std::uint64_t from, std::uint64_t to);

  void Cut(std::uint64_t a, std::uint64_t b);  // both ways
  void CutOneWay(std::uint64_t from, std::uint64_t to);
  void Isolate(std::uint64_t id);
  void Mend();

  std::string LogOf(std::uint64_t id);  // "1:noop 2:apple 3:seal"
  std::string Status();
  std::vector<std::uint64_t> Leaders();

  std::set<std::uint64_t> frozen_disks;  // whose writes do not complete
  // Messages for which it says true are kept in `captured` instead of being delivered.
  std::function<bool(const Packet&)> capture;
  std::vector<Packet> captured;
  std::function<void(const std::string&)> trace;  // told of each delivery and write
  Invariants invariants;

 private:
  bool MoveOnce();
  void Collect();

  Options options_;
  std::map<std::uint64_t, std::unique_ptr<BareHost>> hosts_;
  std::vector<Packet> network_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> cut_;
  Instant now_{0};
};

template <class M>
const M* As(const Packet& packet) {
  return std::get_if<M>(&packet.message);
}

}  // namespace decree::consensus::testing

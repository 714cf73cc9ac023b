// What chosen decrees do to rows. Deterministic: equal logs give equal rows on every replica, so
// that digests can be compared. The applied slot, the configuration, the session table and the data
// change in one row batch.
//
// Row space (FORMATS.md, kv_rows.h): "m" + name: the machine's own facts; "d" + key: data; "e" +
// expiry + key: which data expires when; "s" + client: sessions; "r" + client + sequence: their
// results.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "consensus/output.h"
#include "kv/api/command.h"
#include "kv/store/engine.h"
#include "kv/store/sessions.h"

namespace decree::store {

// Results of the commands of one slot, in their order; empty for decrees without commands.
struct AppliedSlot {
  Slot slot;
  std::vector<CommandResult> results;
  bool has_mark = false;  // a kMark command was in it: digest the rows as of this slot
};

// Whether the decree holds a kMark command. Rows are written once an Apply call: end the call
// there, so that the rows can be digested as of that slot.
bool HoldsMark(const consensus::Decree& decree);

// Facts kept beside the data, the same on all replicas at the same slot.
struct MachineFacts {
  Slot applied;
  consensus::Config config;
  WallMs time_ms = 0;              // replicated clock
  std::uint64_t last_version = 0;  // versions are never reused
  std::uint64_t keys = 0;          // live data rows
  std::uint64_t data_bytes = 0;    // of keys and values
  std::uint64_t session_bytes = 0;
  std::uint64_t sessions = 0;
  DECREE_FIELDS(applied, config, time_ms, last_version, keys, data_bytes, session_bytes, sessions)
};

class StateMachine {
 public:
  virtual ~StateMachine() = default;
  // Applies consecutive decrees in one atomic batch. `first.slot` must be facts().applied + 1.
  virtual Result<std::vector<AppliedSlot>> Apply(
      const std::vector<consensus::ChosenDecree>& decrees) = 0;
  virtual const MachineFacts& facts() const = 0;
};

// The key-value machine (and its sessions) over an engine that outlives it. Reads the facts row on
// construction; an empty engine starts from `genesis` (the configuration before slot 1).
class KvMachine : public StateMachine {
 public:
  static Result<std::unique_ptr<KvMachine>> Open(Engine& engine, const consensus::Config& genesis);
  // The limits must be the same on all replicas: they decide what is forgotten.
  static Result<std::unique_ptr<KvMachine>> OpenWith(const SessionLimits& sessions, Engine& engine,
                                                     const consensus::Config& genesis);
  ~KvMachine() override;
  Result<std::vector<AppliedSlot>> Apply(
      const std::vector<consensus::ChosenDecree>& decrees) override;
  const MachineFacts& facts() const override;

  // Reads see everything applied. kNotFound for absent and expired keys.
  Result<ReadResult> Read(const ReadRequest& request) const;
  Result<ScanResult> Scan(const ScanRequest& request) const;
  // At or before the earliest expiry of a key or session, 0 if there is none: the leader proposes
  // an empty batch when it falls due. An early answer corrects itself when that batch is applied.
  WallMs NextExpiry() const;

 private:
  struct Impl;
  explicit KvMachine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The facts stored in an engine's rows, without a machine: what recovery and snapshots go by.
Result<std::optional<MachineFacts>> ReadFacts(const RowView& view);
Result<std::optional<MachineFacts>> ReadFacts(const Engine& engine);
// The facts row itself: machines other than KvMachine write it too.
RowWrite FactsRow(const MachineFacts& facts);

}  // namespace decree::store

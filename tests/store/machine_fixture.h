// A KvMachine on an in-memory engine, with words to apply commands and to look at what came of
// them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kv/store/mem_disk.h"
#include "kv/store/row_digest.h"
#include "kv/store/state_machine.h"

namespace decree::store {

inline Command PutCommand(std::string key, std::string value, std::uint64_t ttl_ms = 0) {
  Command command;
  command.key = std::move(key);
  command.value = std::move(value);
  command.ttl_ms = ttl_ms;
  return command;
}

inline Command DeleteCommand(std::string key) {
  Command command;
  command.kind = CommandKind::kDelete;
  command.key = std::move(key);
  return command;
}

inline Command OpenCommand(std::uint64_t client) {
  Command command;
  command.kind = CommandKind::kOpenSession;
  command.session.client = client;
  return command;
}

inline Command MarkCommand() {
  Command command;
  command.kind = CommandKind::kMark;
  return command;
}

inline Command InSession(Command command, std::uint64_t client, std::uint64_t sequence,
                         std::uint64_t acked_below = 0) {
  command.session = {client, sequence, acked_below, 0};
  return command;
}

inline Command When(Command command, Condition condition) {
  command.condition = std::move(condition);
  return command;
}

inline consensus::ChosenDecree BatchDecree(Slot slot, WallMs time_ms,
                                           std::vector<Command> commands) {
  const CommandBatch batch{time_ms, std::move(commands)};
  consensus::Decree decree;
  decree.kind = consensus::DecreeKind::kCommandBatch;
  decree.payload = std::make_shared<const std::string>(Encode(batch));
  return {slot, decree};
}

inline consensus::Config GenesisConfig() {
  consensus::Config config;
  config.epoch = Epoch{1};
  config.start = Slot{1};
  config.voters = {{ReplicaId{1}, NodeId{1}}};
  return config;
}

// One replica's rows and machine.
class MachineOnDisk {
 public:
  MachineOnDisk() : disk_(MemDiskOptions{}) {
    engine_ = disk_.OpenRows({ShardId{0}, ReplicaId{1}}).value();
    Reopen();
  }
  // A new machine over the same rows, as after a restart that lost nothing.
  void Reopen() { machine_ = KvMachine::Open(*engine_, GenesisConfig()).value(); }

  std::vector<CommandResult> Apply(std::vector<Command> commands) {
    const Slot slot = machine_->facts().applied.Next();
    auto applied = machine_->Apply({BatchDecree(slot, time_ms_, std::move(commands))});
    EXPECT_TRUE(applied) << applied.error().ToString();
    return applied ? std::move(applied->front().results) : std::vector<CommandResult>();
  }
  CommandResult Do(Command command) { return Apply({std::move(command)}).at(0); }
  void PassTime(WallMs ms) {
    time_ms_ += ms;
    Apply({});
  }

  Result<ReadResult> Read(std::string key) const { return machine_->Read({std::move(key), {}}); }
  bool Has(std::string key) const { return static_cast<bool>(Read(std::move(key))); }
  std::string Digest() const { return *DigestRows(*engine_->View()); }
  std::size_t RowsWith(std::string_view prefix) const {
    std::size_t count = 0;
    const auto view = engine_->View();
    const auto cursor = view->NewCursor();
    for (cursor->Seek(prefix); cursor->Valid() && cursor->key().starts_with(prefix); cursor->Next())
      ++count;
    return count;
  }

  KvMachine& machine() { return *machine_; }
  Engine& engine() { return *engine_; }
  MemDisk& disk() { return disk_; }
  const MachineFacts& facts() const { return machine_->facts(); }
  WallMs& time_ms() { return time_ms_; }

 private:
  MemDisk disk_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<KvMachine> machine_;
  WallMs time_ms_ = 1'000'000;
};

}  // namespace decree::store

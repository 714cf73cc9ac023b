// One Apply call of the key-value machine: executes decrees on an overlay and hands back the row
// batch. Nothing here changes the engine; a failure leaves facts and rows as they were.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consensus/decree.h"
#include "kv/api/command.h"
#include "kv/store/kv_rows.h"
#include "kv/store/row_overlay.h"
#include "kv/store/sessions.h"
#include "kv/store/state_machine.h"

namespace decree::store {

inline constexpr std::size_t kPurgedKeysPerSlot = 512;  // bounds the work of one batch
inline constexpr WallMs kNoExpiry = UINT64_MAX;

class KvApply {
 public:
  // `key_expiry` is at or below the earliest expiry row; kNoExpiry: there is none.
  KvApply(const Engine& engine, const MachineFacts& facts, SessionTable& sessions,
          WallMs key_expiry)
      : rows_(engine), facts_(facts), sessions_(sessions), key_expiry_(key_expiry) {}

  Result<AppliedSlot> ApplyDecree(const consensus::ChosenDecree& chosen);
  RowBatch TakeBatch();  // with the facts row

  const MachineFacts& facts() const { return facts_; }
  WallMs key_expiry() const { return key_expiry_; }

 private:
  // The row under a key: `bytes` may be there although the key has expired and is absent. Holds no
  // views, because moving a short string moves its characters.
  struct Current {
    std::optional<std::string> bytes;
    std::size_t value_at = 0;
    std::uint64_t row_version = 0;
    WallMs expires_at_ms = 0;
    bool live = false;
    std::uint64_t version() const { return live ? row_version : 0; }
    std::string_view value() const {
      return bytes ? std::string_view(*bytes).substr(value_at) : std::string_view();
    }
  };

  Status ApplyCommands(const CommandBatch& batch, AppliedSlot* applied);
  Status PurgeExpired();
  Result<CommandResult> RunOnce(const Command& command, AppliedSlot* applied);
  Result<CommandResult> Execute(const Command& command, AppliedSlot* applied);
  Result<CommandResult> Mutate(const Command& command);
  Result<Current> Load(std::string_view key) const;
  CommandResult Put(const Command& command, const Current& current);
  CommandResult Delete(const Command& command, const Current& current);
  // Takes the row out of the counters and of the expiry index; the data row itself is the caller's.
  void Forget(std::string_view key, const Current& current);
  ApplyMoment Now() const { return {slot_, facts_.time_ms}; }

  RowOverlay rows_;
  MachineFacts facts_;
  SessionTable& sessions_;
  WallMs key_expiry_;
  Slot slot_;
};

}  // namespace decree::store

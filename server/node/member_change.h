// One change of members on its way: proposed at the leader, done when its effect is chosen. Between
// "hold" and the proposal of a Seal, writes wait; that wait is bounded (Seal, step 7).
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "consensus/replica.h"
#include "kv/api/rpc.h"
#include "server/node/node_rpc.h"

namespace decree::node {

class MemberChange {
 public:
  MemberChange(ChangeMembers request, RpcReply reply, Instant now);

  enum class Progress {
    kWaiting,
    kMoved,     // the replica was asked for something: it may have output
    kFinished,  // the reply was given
  };
  // One step with what the replica says now.
  Progress Step(consensus::Replica& replica, Instant now);
  // The host closes or lost its leadership for another reason than this change.
  void Abandon(const RpcResponse& answer);
  bool holds_writes() const { return holding_; }
  // When to look again without an event; once proposed, only events end it.
  Instant deadline() const { return proposed_ ? kNever : deadline_; }

 private:
  Progress Finish(consensus::Replica& replica, Errc code, std::string detail = {});
  bool Satisfied(const consensus::Replica& replica) const;
  Progress StepTransfer(consensus::Replica& replica, Instant now);
  Progress TryPropose(consensus::Replica& replica, Instant now);
  Progress OnRefused(consensus::Replica& replica, const consensus::ProposeResult& result,
                     Instant now);

  ChangeMembers request_;
  RpcReply reply_;
  Instant deadline_;
  bool proposed_ = false;
  bool holding_ = false;
  bool transfer_asked_ = false;
};

// Measures a switch: from the first write that had to wait for it to the first moment writes flow
// again. Only the replica that held the writes and lets them go itself knows how long that was.
class SwitchPause {
 public:
  void OnHold() { holding_ = true; }
  void OnWriteWaits(Instant now) {
    if (holding_ && !first_wait_) first_wait_ = now;
  }
  // Writes flow again here, in that epoch (the old one if the switch was given up).
  void OnResume(Instant now, Epoch epoch) {
    if (holding_) last_ = {epoch, first_wait_ ? now - *first_wait_ : Duration::zero()};
    OnLost();
  }
  // Another replica leads: those who waited ask there.
  void OnLost() {
    holding_ = false;
    first_wait_.reset();
  }
  bool holding() const { return holding_; }
  Epoch last_epoch() const { return last_.first; }
  std::uint64_t last_ms() const {
    return static_cast<std::uint64_t>(last_.second / milliseconds(1));
  }

 private:
  bool holding_ = false;
  std::optional<Instant> first_wait_;
  std::pair<Epoch, Duration> last_;
};

}  // namespace decree::node

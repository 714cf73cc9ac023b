// Watches every consensus message that leaves a machine, and holds the replicas to what they have
// said:
//   - one value a ballot and slot, one value a chosen slot (P2, P4);
//   - promises never fall, also across crashes (P1, P7);
//   - a vote that was acknowledged is reported to every later ballot, or is chosen (P1, P3, P7);
//   - a promise reports no vote of an earlier epoch: above the Seal it is void (P2);
//   - what follows a chosen Seal is EpochStart (section 4, step 10).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "consensus/messages.h"
#include "kv/base/ids.h"
#include "tests/sim/world.h"

namespace decree::sim {

class WireChecker {
 public:
  explicit WireChecker(World& world) : world_(world) {}

  void OnSend(const consensus::Envelope& envelope);
  std::uint64_t chosen_seen() const { return chosen_seen_; }

 private:
  using Who = std::pair<ShardId, ReplicaId>;
  struct Chosen {
    std::uint64_t hash = 0;
    consensus::DecreeKind kind = consensus::DecreeKind::kNoOp;
  };
  // Pages of one promise: until all are there, nothing can be missed in it.
  struct Pages {
    Slot chosen;
    Slot trimmed;
    std::uint32_t pages = 0;
    std::set<std::uint32_t> seen;
    std::map<Slot, consensus::PromisedSlot> slots;
  };

  void On(const consensus::Envelope& envelope, const consensus::Prepare& prepare);
  void On(const consensus::Envelope& envelope, const consensus::Promise& promise);
  void On(const consensus::Envelope& envelope, const consensus::Accept& accept);
  void On(const consensus::Envelope& envelope, const consensus::Accepted& accepted);
  void On(const consensus::Envelope& envelope, const consensus::HeartbeatReply& reply);
  void On(const consensus::Envelope& envelope, const consensus::PreVoteReply& reply);
  void On(const consensus::Envelope& envelope, const consensus::Learned& learned);
  template <class Other>
  void On(const consensus::Envelope&, const Other&) {}

  void SawPromised(const consensus::Envelope& envelope, const consensus::Ballot& promised);
  void SawVoted(const consensus::Envelope& envelope, const consensus::Ballot& ballot, Slot voted);
  void SawProposed(ShardId shard, const consensus::Ballot& ballot, Slot slot,
                   const consensus::Decree& decree);
  void SawChosen(ShardId shard, Slot slot, const consensus::Decree& decree);
  void CheckSeal(ShardId shard, Slot seal);
  void CheckVoidVotesLeftOut(const consensus::Envelope& envelope,
                             const consensus::Promise& promise);
  void CheckVotesReported(const consensus::Envelope& envelope, const consensus::Ballot& ballot,
                          const Pages& pages);
  void Fail(const consensus::Envelope& envelope, const std::string& what);

  World& world_;
  std::uint64_t chosen_seen_ = 0;
  std::map<Who, consensus::Ballot> promised_;
  std::map<Who, std::map<consensus::Ballot, Slot>> voted_;
  std::map<std::pair<ShardId, consensus::Ballot>, Slot> prepared_from_;
  std::map<std::pair<Who, consensus::Ballot>, Pages> pages_;
  std::map<std::pair<ShardId, consensus::Ballot>, std::map<Slot, std::uint64_t>> proposed_;
  std::map<ShardId, std::map<Slot, Chosen>> chosen_;
};

}  // namespace decree::sim

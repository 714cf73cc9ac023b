#include "tests/model/standing.h"

#include <algorithm>
#include <bit>

#include "tests/model/normal.h"

namespace decree::consensus::model {
namespace {

std::uint8_t BitOf(ReplicaId id) { return static_cast<std::uint8_t>(1u << id.value); }

// One that leads a later ballot beside a lease, or reads by a lease of its own.
bool Clash(const Standing& holder, const Standing& other) {
  return holder.lease && (other.leads > holder.lease || other.lease);
}

}  // namespace

Standing StandingOf(const Local& local) {
  const Replica& replica = local.replica;
  Standing standing;
  standing.self = BitOf(replica.self());
  standing.promised = local.disk.promised;
  for (const Member& voter : replica.config().voters) standing.voters |= BitOf(voter.id);
  if (replica.role() != Role::kLeader) return standing;
  standing.leads = replica.promised();
  standing.sealing = ModelAccess::Sealing(replica);
  standing.lease = ModelAccess::LeaseOf(replica, local.Now());
  return standing;
}

const std::string* UnderALease(const Standings& all, std::size_t acted) {
  static const std::string kTwo = "INV-11 a later ballot is led while a lease is held";
  const Standing& changed = *all[acted];
  const bool clash = std::any_of(all.begin(), all.end(), [&](const Standing* other) {
    return other != &changed && (Clash(changed, *other) || Clash(*other, changed));
  });
  return clash ? &kTwo : nullptr;
}

const std::string* ReadsBesideItsSeal(const Standing& leader) {
  static const std::string kKept = "INV-17 a lease is held beside an own Seal";
  return leader.sealing && leader.lease ? &kKept : nullptr;
}

const std::string* WithoutPromises(const Standings& all, std::size_t acted) {
  static const std::string kAlone = "INV-16 leads without the promises of a majority";
  const Standing& leader = *all[acted];
  std::uint8_t promised = 0;
  for (const Standing* other : all) {
    if (other->promised >= leader.leads) promised |= other->self;
  }
  const int needed = std::popcount(leader.voters) / 2 + 1;
  return std::popcount(static_cast<std::uint8_t>(promised & leader.voters)) < needed ? &kAlone
                                                                                     : nullptr;
}

}  // namespace decree::consensus::model

// Leases: a leader that a majority promised to obey for a while serves reads without asking
// anybody.
//
// The grantor refuses other ballots until `received + L` on its clock; the holder serves until
// `sent + L(1 - rho) - epsilon` on its own, so that it stops first. A majority of grants meets
// every majority of promises: while one lease holds, no higher ballot gets its promises, and so
// none chooses anything. Grants do not keep an acceptor from voting in a higher ballot that has its
// promises already: that ballot waited for them.
#include <algorithm>
#include <functional>

#include "consensus/core.h"
#include "kv/base/bug.h"
#include "kv/base/mark.h"

namespace decree::consensus {

// ---- the grantor ----

// Asked for more than a restart of this replica would wait, it says no: leases of nodes with other
// settings are never longer than what everybody keeps.
bool Replica::Core::GrantLease(const Heartbeat& m) {
  const auto longest = static_cast<std::uint64_t>(options_.lease.count());
  if (!LeasesOn() || m.lease_ns == 0 || m.lease_ns > longest) return false;
  grant_ = LeaseGrant{m.ballot, now_ + Duration{static_cast<std::int64_t>(m.lease_ns)}};
  return true;
}

// A grant to a lower ballot than the promise is over: the higher one has a majority that waited.
bool Replica::Core::BoundByGrant() const {
  if (DECREE_BUG_GRANT_NOT_KEPT) return false;
  return grant_.until > now_ && grant_.ballot == promised_;
}

// After a restart: what it promised to last may have got a grant that nobody remembers. Its own
// ballot got none, as a restart ends leadership, nor did one of an epoch that is over.
void Replica::Core::RememberGrant() {
  const bool may_have = promised_ && promised_.epoch == config_.epoch && promised_.replica != self_;
  if (DECREE_BUG_GRANT_FORGOTTEN_AT_RESTART) return;
  if (may_have) grant_ = LeaseGrant{promised_, now_ + options_.lease};
}

// Whoever led that ballot will never read by its lease again; lower ballots were over before it.
void Replica::Core::ReleaseGrant(const Ballot& ballot) {
  if (!BoundByGrant() || grant_.ballot > ballot) return;
  SOMETIMES(consensus_lease_released);
  grant_ = LeaseGrant{};
}

// ---- the holder ----

// Nothing any more once a Seal is proposed (step 7) or another was told to take over.
std::uint64_t Replica::Core::LeaseToAskFor() const {
  if (!LeasesOn() || lead_.lease_over) return 0;
  if (lead_.sealing && !DECREE_BUG_LEASE_KEPT_AT_SEAL) return 0;
  return static_cast<std::uint64_t>(options_.lease.count());
}

// Only a heartbeat's moment is kept. An answer to a later round was granted after it, so that the
// lease counted from it ends early, never late.
void Replica::Core::StampLeaseRound() {
  if (LeaseToAskFor() == 0) return;
  auto& rounds = lead_.lease_rounds;
  std::erase_if(rounds, [this](const LeaseRound& r) { return now_ - r.sent_at > options_.lease; });
  rounds.push_back(LeaseRound{heartbeat_round_, now_});
}

// A majority granted the lease of `round` or of a later one; this replica grants itself all.
void Replica::Core::RenewLease() {
  std::vector<std::uint64_t>& granted = lease_scratch_;
  granted.assign(1, heartbeat_round_);
  for (const Peer& peer : lead_.peers) {
    if (peer.voter) granted.push_back(peer.granted_round);
  }
  const auto nth = static_cast<std::ptrdiff_t>(config_.QuorumSize()) - 1;
  std::nth_element(granted.begin(), granted.begin() + nth, granted.end(), std::greater<>());
  const std::uint64_t round = granted[static_cast<std::size_t>(nth)];
  const Duration drift = options_.lease / 1'000'000 * options_.lease_drift_ppm;
  for (const LeaseRound& sent : lead_.lease_rounds) {
    if (sent.round > round) break;
    const Instant until = sent.sent_at + (options_.lease - drift - options_.lease_margin);
    lead_.lease_until = std::max(lead_.lease_until, until);
    if (DECREE_BUG_LEASE_FROM_ANSWER) lead_.lease_until = now_ + options_.lease;
  }
}

// Own barrier chosen, so that `chosen` here covers what earlier ballots chose; no Seal, no
// transfer.
std::optional<Instant> Replica::Core::LeaseUntil() const {
  if (!Ready() || LeaseToAskFor() == 0 || now_ >= lead_.lease_until) return std::nullopt;
  return lead_.lease_until;
}

}  // namespace decree::consensus

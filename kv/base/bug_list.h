// The planted bugs (kv/base/bug.h): name, area, the files that hold it, the rule that it breaks.
// This list is the one owner of these facts; a test keeps it equal to what stands in the code.
#pragma once

// clang-format off
#define DECREE_BUG_LIST(BUG) \
  BUG(REPLY_BEFORE_FSYNC, "consensus", "consensus/durability.cc",                                 \
      "a reply leaves before what it reveals is durable (P7)")                                    \
  BUG(PROMISE_NOT_PERSISTED, "consensus", "consensus/durability.cc",                              \
      "the record of a promise does not hold it (P1)")                                            \
  BUG(OWN_VOTE_BEFORE_FSYNC, "consensus", "consensus/proposer.cc",                                \
      "a leader counts its own vote before its fsync (P4)")                                       \
  BUG(LEARNERS_COUNTED, "consensus", "consensus/proposer.cc",                                     \
      "a learner counts as if it had voted (P4)")                                                 \
  BUG(ANY_VOTE, "consensus", "consensus/recovery.cc",                                             \
      "a new leader proposes any vote again, not that of the highest ballot (P2)")                \
  BUG(NOOP_OVER_TRIMMED, "consensus", "consensus/recovery.cc",                                    \
      "a new leader fills slots that others have chosen and trimmed with NoOp (P2)")              \
  BUG(PROMISES_MIXED, "consensus", "consensus/recovery.cc",                                       \
      "promise pages of another ballot count for this one (P1)")                                  \
  BUG(NONCONTIGUOUS_ACCEPT, "consensus", "consensus/acceptor.cc",                                 \
      "a vote is cast above a hole (P3)")                                                         \
  BUG(ACCEPT_BELOW_PROMISE, "consensus", "consensus/acceptor.cc",                                 \
      "an Accept below the promise is taken (P3)")                                                \
  BUG(ACCEPT_OVERWRITES_CHOSEN, "consensus", "consensus/acceptor.cc",                             \
      "an Accept overwrites what is chosen here (P6)")                                            \
  BUG(OLD_VOTE_CHOSEN, "consensus", "consensus/learner.cc",                                       \
      "a watermark makes a vote of an older ballot chosen (P5)")                                  \
  BUG(LEARNED_NOT_STORED, "consensus", "consensus/learner.cc",                                    \
      "learned values are not written, only the watermark above them (P7)")                       \
  BUG(HEARTBEAT_ANSWERED_EARLY, "consensus", "consensus/peers.cc",                                \
      "the answer to a heartbeat reveals a promise that is not durable yet (P7)")                 \
  BUG(BALLOT_REUSED, "consensus", "consensus/recovery.cc",                                        \
      "Prepare leaves before its ballot is durable at the candidate")                             \
  BUG(RESTART_RESUMES_LEADERSHIP, "consensus", "consensus/core.cc",                               \
      "a replica that restarts goes on leading its ballot (P2)")                                  \
  BUG(PROPOSAL_ABOVE_SEAL, "seal", "consensus/proposer.cc",                                       \
      "the Seal is proposed below an own later proposal (step 7)")                                \
  BUG(SEAL_ABOVE_OPEN_SLOTS, "seal", "consensus/proposer.cc",                                     \
      "a Seal is proposed although slots below it are not chosen (step 7)")                       \
  BUG(BARRIER_ABOVE_SEAL, "seal", "consensus/recovery.cc",                                        \
      "a barrier follows a recovered Seal (P2)")                                                  \
  BUG(VOID_VOTES_BELIEVED, "seal", "consensus/acceptor.cc consensus/recovery.cc",                 \
      "votes of the old epoch above its Seal are believed in the new one (P2)")                   \
  BUG(SEALED_BELIEVED, "seal", "consensus/learner.cc",                                            \
      "hearing Sealed is taken for knowing everything up to the Seal (step 8)")                   \
  BUG(PROMOTED_WITH_GAP, "seal", "consensus/core.cc",                                             \
      "a voter takes part in an epoch whose beginning it does not know yet (step 9)")             \
  BUG(OLD_MAJORITY_STARTS_EPOCH, "seal", "consensus/recovery.cc",                                 \
      "the old leader begins the new epoch on the promises of the old one (step 10)")             \
  BUG(READ_OF_OLD_ROUND, "reads", "consensus/reads.cc",                                           \
      "a read counts answers to rounds that began before it")                                     \
  BUG(READ_BEFORE_BARRIER, "reads", "consensus/reads.cc",                                         \
      "a new leader reads before its own barrier is chosen")                                      \
  BUG(REMOVED_MEMBER_SERVES_READS, "reads", "server/node/shard_host_requests.cc",                 \
      "a removed replica answers reads of clients with a stale map")                              \
  BUG(LEASE_KEPT_AT_TRANSFER, "lease", "consensus/transfer.cc",                                   \
      "a leader that hands over keeps its lease")                                                 \
  BUG(LEASE_KEPT_AT_SEAL, "lease", "consensus/lease.cc",                                          \
      "a leader that proposed a Seal keeps its lease (step 7)")                                   \
  BUG(CLOCK_CACHED_OVER_PAUSE, "lease", "consensus/reads.cc",                                     \
      "a lease is compared with a clock that was read before a pause")                            \
  BUG(GRANT_FORGOTTEN_AT_RESTART, "lease", "consensus/lease.cc",                                  \
      "a grantor that restarts promises at once")                                                 \
  BUG(GRANT_NOT_KEPT, "lease", "consensus/lease.cc",                                              \
      "a grantor promises to others while its grant lasts")                                       \
  BUG(LEASE_FROM_ANSWER, "lease", "consensus/lease.cc",                                           \
      "a lease is counted from the answer that grants it, not from the question")                 \
  BUG(FAILED_SYNC_IGNORED, "log", "server/node/shard_host.cc",                                    \
      "a replica goes on after a failed fsync as if it had succeeded (P8)")                       \
  BUG(TRIM_ABOVE_SNAPSHOT, "log", "server/node/shard_host_rows.cc",                               \
      "the log is trimmed above the durable rows (P10)")                                          \
  BUG(TRIM_ONE_TOO_MANY, "log", "kv/store/log_merge.cc",                                          \
      "a trim of the log takes the slot above with it")                                           \
  BUG(REPLAY_LOWEST_VOTE, "log", "kv/store/log_merge.cc",                                         \
      "replay keeps the vote of the lowest ballot of a slot")                                     \
  BUG(SEGMENT_RECYCLED_EARLY, "log", "kv/store/log_recycling.cc",                                 \
      "a segment is recycled although votes in it are live")                                      \
  BUG(CORRUPT_IS_ABSENT, "log", "kv/store/log_recovery.cc",                                       \
      "a damaged record reads as the end of the log (P9)")                                        \
  BUG(LOST_ROWS_ACCEPTED, "log", "server/node/shard_host.cc",                                     \
      "a replica whose rows were lost starts all the same (P9)")                                  \
  BUG(SESSION_CHECK_AT_PROPOSE, "session", "kv/store/kv_apply.cc",                                \
      "apply runs a command again that its session has run")                                      \
  BUG(RETRY_ANSWERED_FRESH, "session", "kv/store/sessions.cc",                                    \
      "a retry is told that its own first try failed its condition")                              \
  BUG(EXPIRED_SESSION_EXECUTES, "session", "kv/store/kv_apply.cc",                                \
      "a command of an expired session runs")                                                     \
  BUG(CAS_AT_PROPOSE, "session", "server/node/shard_host_requests.cc",                            \
      "a condition is decided when it is proposed, not when it is applied")                       \
  BUG(DELETE_FORGETS_VERSION, "session", "kv/store/kv_apply.cc",                                  \
      "a key that was deleted begins again at its first version")                                 \
  BUG(UNKNOWN_SAID_AS_REFUSED, "session", "server/node/shard_host.cc",                            \
      "a write that may be chosen later is answered as not done")                                 \
  BUG(RETRIED_IN_A_NEW_SESSION, "session", "kv/api/caller_sessions.cc",                           \
      "a write that may have run goes again under another session when its own is lost")          \
  BUG(SESSIONS_LEFT_OUT, "snapshot", "server/node/shard_host_snapshots.cc",                       \
      "the session table is left out of a snapshot")                                              \
  BUG(IMPORT_KEEPS_OLD_ROWS, "snapshot", "kv/store/mem_disk.cc kv/store/file_disk_rows.cc",       \
      "an import leaves the rows standing that were there before")                                \
  BUG(STAGING_KEPT, "snapshot", "kv/store/file_disk_rows.cc",                                     \
      "a start leaves what was staged before it in the places of later imports")                  \
  BUG(ROWS_LATER_THAN_SLOT, "snapshot", "server/node/shard_host_snapshots.cc",                    \
      "a snapshot counts for an earlier slot than that of its rows")                              \
  BUG(APPLIED_NOT_IN_BATCH, "snapshot", "kv/store/kv_apply.cc",                                   \
      "the applied slot is not in the batch of the rows it stands for")                           \
  BUG(DIGESTS_NOT_COMPARED, "move", "rebalance/move.cc",                                          \
      "a move goes to its switch without comparing digests (step 5)")                             \
  BUG(SOURCE_DESTROYED_EARLY, "move", "rebalance/move.cc",                                        \
      "the old replica is destroyed before EpochStart is chosen (step 10)")                       \
  BUG(ROLLBACK_DESTROYS_FIRST, "move", "rebalance/move.cc",                                       \
      "a rollback destroys the target before RemoveLearner is chosen (step 13)")                  \
  BUG(TOMBSTONE_FORGOTTEN, "move", "server/node/catalogs.cc",                                     \
      "a destroyed replica leaves no tombstone (step 12)")                                        \
  BUG(MAP_VERSION_BACKWARDS, "placement", "server/node/control.cc",                               \
      "a node takes an older shard map for its own")                                              \
  BUG(SECOND_MOVE_TAKEN, "placement", "rebalance/placement_moves.cc",                             \
      "a second move of a shard is taken beside the one that runs")                               \
  BUG(MOVE_ID_REUSED, "placement", "rebalance/placement_moves.cc",                                \
      "a new move gets the id of the last one")                                                   \
  BUG(REPLICA_ID_REUSED, "placement", "rebalance/placement_moves.cc",                             \
      "a rolled-back move's replica id is given out again")
// clang-format on

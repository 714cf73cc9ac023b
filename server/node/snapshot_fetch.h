// Pulls a snapshot of a shard from one of its members into a staging place: open, read the files in
// chunks (several on their way at a time, chunk_window.h), close. The member that was asked may
// name another one; it is asked again, and serves itself, should that one refuse. Small rows come
// with the first answer, files on the same machine are linked. A broken chunk is asked for again; a
// lost source ends the fetch with the reason, and the replica will say again what it needs: the
// next fetch goes on with what has come, file by file, whoever serves it. All that opened something
// hear Close at every end: after the rows were installed, after a failure, and when the fetch is
// dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kv/store/disk.h"
#include "server/node/host_env.h"
#include "server/node/node_rpc.h"

namespace decree::node {

// Files that had come, and how their source described them.
struct PartialSnapshot {
  std::unique_ptr<store::Staging> staging;  // null: nothing
  std::vector<store::SnapshotFile> files;
};

class SnapshotFetch {
 public:
  using Done = std::function<void(Result<std::unique_ptr<store::Staging>>)>;
  struct Source {
    consensus::Member member;  // that is asked first
    ReplicaId avoid;           // and is not to name this one
    bool here = false;         // nor anyone else
    bool chunks = false;       // an answer that brought the files would not arrive in time
  };

  // `key` is the replica to fill, `room` what its disk has promised it. Dropping the fetch abandons
  // it.
  SnapshotFetch(HostEnv& env, store::Disk& disk, ReplicaKey key, const Source& source,
                PartialSnapshot partial, std::shared_ptr<SpacePromise> room, Done done);
  ~SnapshotFetch();

  Slot at_least() const;  // known once opened: the rows cover at least this slot
  std::uint64_t bytes_total() const;
  std::uint64_t bytes_done() const;
  // Whether nobody answered its first question, so far or in time.
  bool unanswered() const;
  ReplicaId source() const;
  ReplicaId asked_first() const;  // who named the source, or is it
  // Since when an answer of the source is awaited; none: it is not the source that is waited for.
  std::optional<Instant> asked_at() const;
  // While held it asks for no more chunks; what was asked for still arrives.
  void SetPace(FetchPace pace);
  // What has come so far, of a fetch that failed or is about to be dropped; nothing if it is just
  // being written, or was found damaged.
  PartialSnapshot TakePartial();

 private:
  struct Pull;
  std::shared_ptr<Pull> pull_;
};

}  // namespace decree::node

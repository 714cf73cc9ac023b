#include "server/node/snapshot_fetch.h"

#include <algorithm>

#include "kv/base/frame.h"
#include "kv/base/mark.h"

namespace decree::node {
namespace {

constexpr Duration kBusyPause = 200ms;
constexpr Duration kKeepAlive = 20s;  // a third of what the source waits for (snapshot_server.cc)
constexpr int kTriesPerChunk = 5;
constexpr std::uint64_t kCallTimeoutMs = 5000;
constexpr std::size_t kChecksumBytes = 8;

std::uint64_t LoadLittleEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = kChecksumBytes; i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

}  // namespace

struct SnapshotFetch::Pull : std::enable_shared_from_this<SnapshotFetch::Pull> {
  HostEnv* env;
  store::Disk* disk;
  ReplicaKey key;
  consensus::Member from;
  Done done;
  std::unique_ptr<store::Staging> staging;
  SnapshotInfo info;
  std::size_t file = 0;
  std::uint64_t offset = 0;
  int tries = 0;
  std::uint64_t total = 0;
  std::uint64_t received = 0;
  std::optional<Instant> asked_at;  // for the chunk, not for this try: a dead source is no live one
  FetchPace pace = FetchPace::kUsual;
  std::optional<std::uint32_t> next_size;  // of the chunk to ask for when it is let go

  void Open();
  void OnOpened(const RpcResponse& response);
  void NextChunk();
  bool urgent() const { return pace == FetchPace::kUrgent; }
  void AskChunk(std::uint32_t size);
  void AskLater(Duration wait, std::uint32_t size);
  void SendAsk(std::uint32_t size);
  void Rest(std::uint32_t size);
  void KeepAlive();
  void OnChunk(RpcResponse response, std::uint32_t size);
  void AskAgain(const Error& why, std::uint32_t size);
  void OnWritten(const Status& status, std::uint32_t size);
  void OnPrepared(const Status& status);
  void Close();
  void InBackground(std::function<Status(store::Staging&)> work,
                    std::function<void(Pull&, Status)> then);
  void Finish(Result<std::unique_ptr<store::Staging>> result);
};

SnapshotFetch::SnapshotFetch(HostEnv& env, store::Disk& disk, ReplicaKey key,
                             consensus::Member from, Done done)
    : pull_(std::make_shared<Pull>()) {
  pull_->env = &env;
  pull_->disk = &disk;
  pull_->key = key;
  pull_->from = from;
  pull_->done = std::move(done);
  pull_->Open();
}

SnapshotFetch::~SnapshotFetch() {
  if (!pull_->done) return;  // it has ended by itself
  pull_->done = nullptr;
  pull_->Close();
}

void SnapshotFetch::SetPace(FetchPace pace) {
  pull_->pace = pace;
  if (pace == FetchPace::kHeld || !pull_->next_size) return;
  const std::uint32_t size = *pull_->next_size;
  pull_->next_size.reset();
  pull_->AskChunk(size);
}

Slot SnapshotFetch::at_least() const { return pull_->info.at_least; }
std::uint64_t SnapshotFetch::bytes_total() const { return pull_->total; }
std::uint64_t SnapshotFetch::bytes_done() const { return pull_->received; }
ReplicaId SnapshotFetch::source() const { return pull_->from.id; }
std::optional<Instant> SnapshotFetch::asked_at() const { return pull_->asked_at; }

void SnapshotFetch::Pull::Open() {
  asked_at = env->executor().Now();
  const SnapshotOpen open{{key.shard, from.id}, key.replica};
  RpcRequest request{Method::kSnapshotOpen, key.shard, kCallTimeoutMs, Encode(open)};
  env->Call(from.node, Channel::kBulk, std::move(request),
            [pull = shared_from_this()](RpcResponse response) { pull->OnOpened(response); });
}

void SnapshotFetch::Pull::OnOpened(const RpcResponse& response) {
  asked_at.reset();
  Result<SnapshotInfo> decoded = Error(response.code, response.detail);
  if (response.code == Errc::kOk) decoded = Decode<SnapshotInfo>(response.body);
  if (decoded) info = std::move(*decoded);
  if (!done) {  // dropped meanwhile
    SOMETIMES(snapshot_fetch_dropped);
    return Close();
  }
  if (!decoded) return Finish(decoded.error());
  const store::DiskSpace space = disk->space();
  const std::uint64_t free =
      space.capacity_bytes - std::min(space.used_bytes, space.capacity_bytes);
  for (const auto& [name, bytes] : info.files) {
    if (bytes > free - total) {  // the sum of what a peer announces may exceed 64 bits
      return Finish(Error(Errc::kNoSpace, "a snapshot does not fit on " + disk->path() +
                                              ", where " + std::to_string(free) +
                                              " bytes are free"));
    }
    total += bytes;
  }
  Result<std::unique_ptr<store::Staging>> stage = disk->Stage(key);
  if (!stage) return Finish(stage.error());
  staging = std::move(*stage);
  NextChunk();
}

// What waits for the disk runs on the disk's threads, never on the worker, whose other shards have
// heartbeats to send. Nothing else touches the staging place meanwhile.
void SnapshotFetch::Pull::InBackground(std::function<Status(store::Staging&)> work,
                                       std::function<void(Pull&, Status)> then) {
  disk->RunInBackground([pull = shared_from_this(), executor = &env->executor(),
                         work = std::move(work), then = std::move(then)] {
    const Status status = work(*pull->staging);
    executor->Post([pull, status, then] {
      if (pull->done) then(*pull, status);
    });
  });
}

void SnapshotFetch::Pull::NextChunk() {
  while (file < info.files.size() && offset == info.files[file].second && offset > 0) {
    ++file;
    offset = 0;
  }
  if (file == info.files.size()) {
    return InBackground([](store::Staging& to) { return to.Prepare(); },
                        [](Pull& pull, const Status& status) { pull.OnPrepared(status); });
  }
  const auto& [name, bytes] = info.files[file];
  if (bytes == 0) {  // nothing to ask for, but the file has to be there
    ++file;
    return InBackground([name = name](store::Staging& to) { return to.Append(name, 0, {}); },
                        [](Pull& pull, const Status& status) { pull.OnWritten(status, 0); });
  }
  const std::uint32_t most = env->move_gate(*disk).ChunkBytes(urgent());
  AskChunk(static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes - offset, most)));
}

void SnapshotFetch::Pull::AskChunk(std::uint32_t size) {
  if (pace == FetchPace::kHeld) return Rest(size);
  Executor& executor = env->executor();
  const auto wait = env->move_gate(*disk).Take(executor.Now(), size, urgent(), Duration::max());
  if (*wait == Duration::zero()) return SendAsk(size);
  SOMETIMES(snapshot_fetch_waits_for_its_turn);
  AskLater(*wait, size);
}

void SnapshotFetch::Pull::AskLater(Duration wait, std::uint32_t size) {
  Executor& executor = env->executor();
  executor.RunAt(executor.Now() + wait, [pull = shared_from_this(), size] {
    if (!pull->done) return;
    pull->pace == FetchPace::kHeld ? pull->Rest(size) : pull->SendAsk(size);
  });
}

void SnapshotFetch::Pull::Rest(std::uint32_t size) {
  SOMETIMES(snapshot_fetch_held);
  next_size = size;
  KeepAlive();
}

// The source drops what nobody reads, and all that has come would have to come again.
void SnapshotFetch::Pull::KeepAlive() {
  Executor& executor = env->executor();
  executor.RunAt(executor.Now() + kKeepAlive, [pull = shared_from_this()] {
    if (!pull->done || !pull->next_size) return;
    const SnapshotRead nothing{pull->info.id, pull->info.files[pull->file].first, 0, 0};
    RpcRequest request{Method::kSnapshotRead, pull->key.shard, 1000, Encode(nothing)};
    pull->env->Call(pull->from.node, Channel::kBulk, std::move(request), [](RpcResponse) {});
    pull->KeepAlive();
  });
}

void SnapshotFetch::Pull::SendAsk(std::uint32_t size) {
  if (!asked_at) asked_at = env->executor().Now();
  const SnapshotRead read{info.id, info.files[file].first, offset, size, urgent()};
  RpcRequest request{Method::kSnapshotRead, key.shard, kCallTimeoutMs, Encode(read)};
  env->Call(from.node, Channel::kBulk, std::move(request),
            [pull = shared_from_this(), size](RpcResponse response) {
              if (pull->done) pull->OnChunk(std::move(response), size);
            });
}

void SnapshotFetch::Pull::OnChunk(RpcResponse response, std::uint32_t size) {
  if (response.code == Errc::kOk || response.code == Errc::kBusy) asked_at.reset();
  if (response.code == Errc::kBusy) return AskLater(kBusyPause, size);
  if (response.code != Errc::kOk) return AskAgain(Error(response.code, response.detail), size);
  InBackground(
      [name = info.files[file].first, offset = offset, size,
       chunk = std::move(response.body)](store::Staging& to) -> Status {
        const std::string_view body(chunk);
        if (body.size() != kChecksumBytes + size ||
            Hash64(body.substr(kChecksumBytes)) != LoadLittleEndian(body)) {
          return Error(Errc::kCorruption, "a snapshot chunk arrived damaged");
        }
        return to.Append(name, offset, body.substr(kChecksumBytes));
      },
      [size](Pull& pull, const Status& status) {
        if (!status && status.error() == Errc::kCorruption) {
          return pull.AskAgain(status.error(), size);
        }
        pull.OnWritten(status, size);
      });
}

void SnapshotFetch::Pull::AskAgain(const Error& why, std::uint32_t size) {
  SOMETIMES(snapshot_chunk_asked_again);
  if (why == Errc::kNotFound) SOMETIMES(snapshot_gone_at_its_source);
  if (why == Errc::kNotFound || ++tries >= kTriesPerChunk) {
    return Finish(Error(why.code(), "a snapshot chunk did not arrive: " + why.detail()));
  }
  AskChunk(size);
}

void SnapshotFetch::Pull::OnWritten(const Status& status, std::uint32_t size) {
  if (!status) return Finish(status.error());
  tries = 0;
  offset += size;
  received += size;
  NextChunk();
}

void SnapshotFetch::Pull::OnPrepared(const Status& status) {
  if (!status) {
    SOMETIMES(snapshot_refused_by_engine);
    return Finish(status.error());
  }
  Finish(std::move(staging));
}

void SnapshotFetch::Pull::Close() {
  if (info.id == 0) return;  // nothing was opened
  RpcRequest request{Method::kSnapshotClose, key.shard, 1000, Encode(SnapshotClose{info.id})};
  env->Call(from.node, Channel::kBulk, std::move(request), [](RpcResponse) {});
}

void SnapshotFetch::Pull::Finish(Result<std::unique_ptr<store::Staging>> result) {
  Done finished = std::move(done);
  done = nullptr;
  finished(std::move(result));  // installs the rows
  Close();
}

}  // namespace decree::node

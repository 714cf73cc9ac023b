#include "server/node/snapshot_fetch.h"

#include <algorithm>

#include "kv/base/frame.h"
#include "kv/base/mark.h"
#include "server/node/chunk_window.h"

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

Status CheckChunk(const ChunkWindow::Chunk& chunk) {
  const std::string_view body(chunk.answer);
  if (body.size() == kChecksumBytes + chunk.size &&
      Hash64(body.substr(kChecksumBytes)) == LoadLittleEndian(body)) {
    return {};
  }
  return Error(Errc::kCorruption, "a snapshot chunk arrived damaged");
}

}  // namespace

struct SnapshotFetch::Pull : std::enable_shared_from_this<SnapshotFetch::Pull> {
  using Chunk = ChunkWindow::Chunk;
  using State = ChunkWindow::State;
  // Chunks that are written together, on a thread of the disk.
  struct Batch {
    std::vector<Chunk> chunks;
    std::size_t written = 0;
  };

  HostEnv* env;
  store::Disk* disk;
  ReplicaKey key;
  consensus::Member from;
  Done done;
  std::unique_ptr<store::Staging> staging;
  SnapshotInfo info;
  ChunkWindow window;
  std::uint64_t total = 0;
  std::uint64_t received = 0;
  bool writing = false;             // or preparing what was written
  std::optional<Instant> asked_at;  // or since the source last answered one of several questions
  FetchPace pace = FetchPace::kUsual;
  bool resting = false;
  std::uint64_t rests = 0;

  void Open();
  void OnOpened(const RpcResponse& response);
  Lane lane() const;
  bool held() const { return pace == FetchPace::kHeld; }
  void Pump();
  void Ask(Chunk& chunk);
  void AskLater(Duration wait, Chunk& chunk);
  void SendAsk(Chunk& chunk);
  void Rest();
  void KeepAlive(std::uint64_t rest);
  void OnChunk(std::uint64_t number, RpcResponse response);
  void AskAgain(Chunk& chunk, const Error& why);
  void Write();
  Status WriteBatch(Batch& batch) const;
  void OnWritten(Batch& batch, const Status& status);
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
  if (pull_->held() || !pull_->resting) return;
  pull_->resting = false;
  pull_->Pump();
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
  window.Begin(info.files);
  Pump();
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

Lane SnapshotFetch::Pull::lane() const {
  if (info.reader_votes) return Lane::kVoter;
  return pace == FetchPace::kUrgent ? Lane::kUrgent : Lane::kUsual;
}

// As many chunks as the window holds and the gate lets pass; then what has come is written.
void SnapshotFetch::Pull::Pump() {
  if (held()) {
    Rest();
    return Write();
  }
  for (Chunk& chunk : window.chunks()) {
    if (chunk.state == State::kWanted && window.HasRoom()) Ask(chunk);
  }
  while (window.HasRoom() && !window.Any(State::kWaiting)) {
    Chunk* chunk = window.Extend(env->move_gate(*disk).ChunkBytes(lane()));
    if (chunk == nullptr) break;
    if (chunk->state == State::kWanted) Ask(*chunk);
  }
  Write();
}

void SnapshotFetch::Pull::Ask(Chunk& chunk) {
  const Instant now = env->executor().Now();
  const auto wait = env->move_gate(*disk).Take(now, chunk.size, lane(), Duration::max());
  if (*wait == Duration::zero()) return SendAsk(chunk);
  SOMETIMES(snapshot_fetch_waits_for_its_turn);
  AskLater(*wait, chunk);
}

void SnapshotFetch::Pull::AskLater(Duration wait, Chunk& chunk) {
  chunk.state = State::kWaiting;
  Executor& executor = env->executor();
  executor.RunAt(executor.Now() + wait, [pull = shared_from_this(), number = chunk.number] {
    if (!pull->done) return;
    Chunk& waited = *pull->window.Find(number);
    waited.state = State::kWanted;
    if (!pull->held()) pull->SendAsk(waited);
    pull->Pump();
  });
}

void SnapshotFetch::Pull::Rest() {
  if (resting || window.finished()) return;
  SOMETIMES(snapshot_fetch_held);
  resting = true;
  KeepAlive(++rests);
}

// The source drops what nobody reads, and all that has come would have to come again.
void SnapshotFetch::Pull::KeepAlive(std::uint64_t rest) {
  Executor& executor = env->executor();
  executor.RunAt(executor.Now() + kKeepAlive, [pull = shared_from_this(), rest] {
    if (!pull->done || !pull->resting || pull->rests != rest) return;
    const SnapshotRead nothing{pull->info.id, pull->info.files.front().first, 0, 0};
    RpcRequest request{Method::kSnapshotRead, pull->key.shard, 1000, Encode(nothing)};
    pull->env->Call(pull->from.node, Channel::kBulk, std::move(request), [](RpcResponse) {});
    pull->KeepAlive(rest);
  });
}

void SnapshotFetch::Pull::SendAsk(Chunk& chunk) {
  chunk.state = State::kAsked;
  chunk.asked = env->executor().Now();
  if (!asked_at) asked_at = chunk.asked;
  const SnapshotRead read{info.id, info.files[chunk.file].first, chunk.offset, chunk.size, lane()};
  RpcRequest request{Method::kSnapshotRead, key.shard, kCallTimeoutMs, Encode(read)};
  env->Call(from.node, Channel::kBulk, std::move(request),
            [pull = shared_from_this(), number = chunk.number](RpcResponse response) {
              if (pull->done) pull->OnChunk(number, std::move(response));
            });
}

void SnapshotFetch::Pull::OnChunk(std::uint64_t number, RpcResponse response) {
  Chunk& chunk = *window.Find(number);
  chunk.state = State::kWanted;
  if (response.code == Errc::kOk || response.code == Errc::kBusy) {
    asked_at.reset();
    if (window.Any(State::kAsked)) asked_at = env->executor().Now();
  }
  if (response.code == Errc::kOk) window.OnAnswer(chunk, env->executor().Now());
  if (response.code == Errc::kOutcomeUnknown) window.OnSilence();
  if (response.code == Errc::kBusy) return AskLater(kBusyPause, chunk);
  if (response.code != Errc::kOk) return AskAgain(chunk, Error(response.code, response.detail));
  chunk.state = State::kHere;
  chunk.answer = std::move(response.body);
  Pump();
}

void SnapshotFetch::Pull::AskAgain(Chunk& chunk, const Error& why) {
  SOMETIMES(snapshot_chunk_asked_again);
  if (why == Errc::kNotFound) SOMETIMES(snapshot_gone_at_its_source);
  if (why == Errc::kNotFound || ++chunk.tries >= kTriesPerChunk) {
    return Finish(Error(why.code(), "a snapshot chunk did not arrive: " + why.detail()));
  }
  Pump();
}

void SnapshotFetch::Pull::Write() {
  if (writing) return;
  if (window.finished()) {
    writing = true;
    return InBackground([](store::Staging& to) { return to.Prepare(); },
                        [](Pull& pull, const Status& status) { pull.OnPrepared(status); });
  }
  const auto batch = std::make_shared<Batch>(Batch{window.TakeReady(), 0});
  if (batch->chunks.empty()) return;
  writing = true;
  InBackground([this, batch](store::Staging&) { return WriteBatch(*batch); },
               [batch](Pull& pull, const Status& status) { pull.OnWritten(*batch, status); });
}

// On a thread of the disk; what it reads of the fetch does not change any more.
Status SnapshotFetch::Pull::WriteBatch(Batch& batch) const {
  for (const Chunk& chunk : batch.chunks) {
    std::string_view bytes;
    if (chunk.size > 0) {
      if (Status whole = CheckChunk(chunk); !whole) return whole;
      bytes = std::string_view(chunk.answer).substr(kChecksumBytes);
    }
    const std::string& name = info.files[chunk.file].first;
    if (Status put = staging->Append(name, chunk.offset, bytes); !put) return put;
    ++batch.written;
  }
  return {};
}

void SnapshotFetch::Pull::OnWritten(Batch& batch, const Status& status) {
  writing = false;
  for (std::size_t i = 0; i < batch.written; ++i) received += batch.chunks[i].size;
  if (status) return Pump();
  if (status.error() != Errc::kCorruption) return Finish(status.error());
  const auto damaged = batch.chunks.begin() + static_cast<std::ptrdiff_t>(batch.written);
  damaged->state = State::kWanted;
  damaged->answer.clear();
  const std::uint64_t number = damaged->number;
  batch.chunks.erase(batch.chunks.begin(), damaged);
  window.PutBack(std::move(batch.chunks));
  AskAgain(*window.Find(number), status.error());
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

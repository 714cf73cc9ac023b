#include "server/node/snapshot_fetch.h"

#include <algorithm>
#include <set>
#include <utility>

#include "kv/base/frame.h"
#include "kv/base/mark.h"
#include "server/node/chunk_window.h"

namespace decree::node {
namespace {

constexpr Duration kBusyPause = 200ms;
constexpr Duration kKeepAlive = 20s;  // a third of what the source waits for (snapshot_server.cc)
constexpr int kTriesPerChunk = 5;
constexpr int kTriesOfNamed = 2;  // whoever named the source names another, or serves itself
constexpr std::uint64_t kCallTimeoutMs = 5000;
constexpr std::size_t kChecksumBytes = 8;

// At 128 KiB/s, beside what a source waits for its turn: a shard may have no quorum meanwhile.
std::uint64_t PatienceMs(std::uint32_t bytes) {
  constexpr std::uint64_t kShortestMs = 2000;
  return std::min(kCallTimeoutMs, kShortestMs + bytes / 128);
}

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

  // A member that named another one, and keeps its log for us meanwhile.
  struct Referrer {
    consensus::Member member;
    std::uint64_t id = 0;
  };

  HostEnv* env;
  store::Disk* disk;
  ReplicaKey key;
  consensus::Member from;
  ReplicaId avoid;
  bool chunks = false;
  bool unanswered = false;
  std::optional<Referrer> referrer;
  PartialSnapshot partial;
  std::shared_ptr<SpacePromise> room;
  Done done;
  std::unique_ptr<store::Staging> staging;
  SnapshotInfo info;
  ChunkWindow window;
  std::uint64_t total = 0;
  std::uint64_t received = 0;
  bool writing = false;             // the staging place is in use on a thread of the disk
  std::optional<Error> ending;      // as soon as that is over
  std::optional<Instant> asked_at;  // or since the source last answered one of several questions
  FetchPace pace = FetchPace::kUsual;
  bool resting = false;
  bool keeping_alive = false;

  void Open(bool here, Slot at_least);
  void OnOpened(const RpcResponse& response);
  void OnRefused(const Error& why);
  void GoTo(const SnapshotInfo& referral);
  Status CheckInfo() const;
  Status TakeSpace(std::uint64_t kept);
  std::set<std::string> Kept() const;
  void Prepare();
  void TakeRoom(const std::set<std::string>& kept);
  void Fill(const std::set<std::string>& kept);
  void StartChunks();
  Lane lane() const;
  bool held() const { return pace == FetchPace::kHeld; }
  void Pump();
  void Ask(Chunk& chunk);
  void AskLater(Duration wait, Chunk& chunk);
  void SendAsk(Chunk& chunk);
  void Rest();
  void KeepAlive();
  void Touch(const consensus::Member& member, std::uint64_t id);
  void OnChunk(std::uint64_t number, RpcResponse response);
  void AskAgain(Chunk& chunk, const Error& why);
  void Write();
  Status WriteBatch(Batch& batch) const;
  void OnWritten(Batch& batch, const Status& status);
  void OnPrepared(const Status& status);
  void Close();
  void CloseAt(const consensus::Member& member, std::uint64_t id);
  void InBackground(std::function<Status(store::Staging&)> work,
                    std::function<void(Pull&, Status)> then);
  void Fail(const Error& why);
  void Finish(Result<std::unique_ptr<store::Staging>> result);
};

SnapshotFetch::SnapshotFetch(HostEnv& env, store::Disk& disk, ReplicaKey key, const Source& source,
                             PartialSnapshot partial, std::shared_ptr<SpacePromise> room, Done done)
    : pull_(std::make_shared<Pull>()) {
  pull_->env = &env;
  pull_->disk = &disk;
  pull_->key = key;
  pull_->from = source.member;
  pull_->avoid = source.avoid;
  pull_->chunks = source.chunks;
  pull_->partial = std::move(partial);
  pull_->room = std::move(room);
  pull_->done = std::move(done);
  pull_->Open(source.here, Slot{});
}

SnapshotFetch::~SnapshotFetch() {
  if (!pull_->writing) pull_->staging.reset();  // before the disk goes
  pull_->partial = {};
  if (!pull_->done) return;  // it has ended by itself
  pull_->done = nullptr;
  pull_->Close();
}

PartialSnapshot SnapshotFetch::TakePartial() {
  if (pull_->writing) return {};
  if (pull_->partial.staging) return std::move(pull_->partial);  // nothing was done with it yet
  return {std::move(pull_->staging), pull_->info.files};
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
bool SnapshotFetch::unanswered() const {
  return pull_->unanswered || (pull_->info.files.empty() && pull_->asked_at);
}
ReplicaId SnapshotFetch::asked_first() const {
  return pull_->referrer ? pull_->referrer->member.id : pull_->from.id;
}
ReplicaId SnapshotFetch::source() const { return pull_->from.id; }
std::optional<Instant> SnapshotFetch::asked_at() const { return pull_->asked_at; }

// ---- opening ----

void SnapshotFetch::Pull::Open(bool here, Slot at_least) {
  asked_at = env->executor().Now();
  const SnapshotOpen open{{key.shard, from.id}, key.replica, here, avoid, chunks, at_least};
  RpcRequest request{Method::kSnapshotOpen, key.shard, kCallTimeoutMs, Encode(open)};
  env->Call(from.node, Channel::kBulk, std::move(request),
            [pull = shared_from_this()](RpcResponse response) { pull->OnOpened(response); });
}

void SnapshotFetch::Pull::OnOpened(const RpcResponse& response) {
  asked_at.reset();
  Result<SnapshotInfo> decoded = Error(response.code, response.detail);
  if (response.code == Errc::kOk) decoded = Decode<SnapshotInfo>(response.body);
  if (decoded && done && decoded->instead.id && !referrer) return GoTo(*decoded);
  if (decoded) info = std::move(*decoded);
  if (!done) {  // dropped meanwhile
    SOMETIMES(snapshot_fetch_dropped);
    return Close();
  }
  if (!decoded) return OnRefused(decoded.error());
  if (Status sound = CheckInfo(); !sound) return Finish(sound.error());
  Prepare();
}

void SnapshotFetch::Pull::GoTo(const SnapshotInfo& referral) {
  referrer = Referrer{from, referral.id};
  from = referral.instead;
  KeepAlive();
  Open(true, referral.at_least);
}

// Whoever named a member that will not serve has to serve by itself.
void SnapshotFetch::Pull::OnRefused(const Error& why) {
  unanswered = why == Errc::kOutcomeUnknown;
  if (!referrer || from.id == referrer->member.id) return Finish(why);
  SOMETIMES(snapshot_refused_by_a_follower);
  CloseAt(referrer->member, referrer->id);
  referrer->id = 0;
  from = referrer->member;
  Open(true, Slot{});
}

Status SnapshotFetch::Pull::CheckInfo() const {
  bool sound = !info.instead.id && !info.files.empty() &&
               (info.contents.empty() || info.contents.size() == info.files.size());
  for (std::size_t i = 0; sound && i < info.contents.size(); ++i) {
    sound = info.contents[i].size() == info.files[i].bytes;
  }
  if (sound) return {};
  return Error(Errc::kCorruption, "a malformed answer to SnapshotOpen");
}

// What an earlier fetch got and this snapshot has, too.
std::set<std::string> SnapshotFetch::Pull::Kept() const {
  std::set<std::string> kept;
  if (!info.contents.empty()) return kept;
  for (const store::SnapshotFile& file : info.files) {
    const bool same = std::any_of(
        partial.files.begin(), partial.files.end(), [&file](const store::SnapshotFile& had) {
          return had.name == file.name && had.bytes == file.bytes && had.checksum == file.checksum;
        });
    if (same && !file.checksum.empty()) kept.insert(file.name);
  }
  return kept;
}

// The sum of what a peer announces may exceed 64 bits.
Status SnapshotFetch::Pull::TakeSpace(std::uint64_t kept) {
  total = 0;
  for (const store::SnapshotFile& file : info.files) {
    const bool fits = file.bytes <= UINT64_MAX - total;
    total = fits ? total + file.bytes : UINT64_MAX;
  }
  return room->Set(total - std::min(kept, total), *disk);
}

// What came before and is of no use goes before room is asked for.
void SnapshotFetch::Pull::Prepare() {
  KeepAlive();
  staging = std::move(partial.staging);
  if (!staging) return TakeRoom({});
  InBackground([kept = Kept()](store::Staging& to) { return to.KeepOnly(kept); },
               [](Pull& pull, const Status& status) {
                 if (status) return pull.TakeRoom(pull.Kept());
                 pull.staging.reset();
                 pull.Finish(status.error());
               });
}

void SnapshotFetch::Pull::TakeRoom(const std::set<std::string>& kept) {
  std::uint64_t had = 0;
  for (const std::string& name : kept) had += staging->Size(name);
  if (Status fits = TakeSpace(had); !fits) {
    staging.reset();
    return Finish(fits.error());
  }
  if (had > 0) SOMETIMES(snapshot_goes_on_where_it_was);
  if (!staging) {
    Result<std::unique_ptr<store::Staging>> stage = disk->Stage(key);
    if (!stage) return Finish(stage.error());
    staging = std::move(*stage);
  }
  Fill(kept);
}

// All that needs no chunks. Without a link a file of this machine is copied like any other.
void SnapshotFetch::Pull::Fill(const std::set<std::string>& kept) {
  const bool near = !info.directory.empty() && from.node == env->node();
  const auto fill = [this, kept, near](store::Staging& to) -> Status {
    for (std::size_t i = 0; i < info.contents.size(); ++i) {
      Status put = to.Append(info.files[i].name, 0, info.contents[i]);
      if (!put) return put;
    }
    for (const store::SnapshotFile& file : info.files) {
      if (!near || kept.contains(file.name)) continue;
      const Status linked = to.Link(file.name, info.directory + "/" + file.name);
      if (!linked && linked.error() == Errc::kImpossible) return to.KeepOnly(kept);
      if (!linked) return linked;
    }
    return {};
  };
  InBackground(fill, [](Pull& pull, const Status& status) {
    if (status) return pull.StartChunks();
    pull.staging.reset();
    pull.Finish(status.error());
  });
}

void SnapshotFetch::Pull::StartChunks() {
  info.contents.clear();
  std::vector<ChunkWindow::File> files;
  for (const store::SnapshotFile& file : info.files) {
    const std::uint64_t have = std::min(staging->Size(file.name), file.bytes);
    received += have;
    files.push_back({file.bytes, have});
  }
  window.Begin(std::move(files));
  Pump();
}

// ---- chunks ----

// What waits for the disk runs on the disk's threads, never on the worker, whose other shards have
// heartbeats to send. Nothing else touches the staging place meanwhile.
void SnapshotFetch::Pull::InBackground(std::function<Status(store::Staging&)> work,
                                       std::function<void(Pull&, Status)> then) {
  writing = true;
  disk->RunInBackground([pull = shared_from_this(), executor = &env->executor(),
                         work = std::move(work), then = std::move(then)] {
    const Status status = work(*pull->staging);
    executor->Post([pull, status, then] {
      pull->writing = false;
      if (!pull->done) return pull->staging.reset();
      if (pull->ending) return pull->Finish(*pull->ending);
      then(*pull, status);
    });
  });
}

Lane SnapshotFetch::Pull::lane() const {
  if (info.reader_votes) return Lane::kVoter;
  return pace == FetchPace::kUrgent ? Lane::kUrgent : Lane::kUsual;
}

// As many chunks as the window holds and the gate lets pass; then what has come is written.
void SnapshotFetch::Pull::Pump() {
  if (ending) return;
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
}

// A source drops what nobody reads, and all that has come would have to come again; whoever named
// it would let go of the log.
void SnapshotFetch::Pull::KeepAlive() {
  if (std::exchange(keeping_alive, true)) return;
  Executor& executor = env->executor();
  executor.RunAt(executor.Now() + kKeepAlive, [weak = weak_from_this()] {
    const auto pull = weak.lock();
    if (!pull || !pull->done) return;
    pull->keeping_alive = false;
    if (pull->referrer) pull->Touch(pull->referrer->member, pull->referrer->id);
    if (pull->resting) pull->Touch(pull->from, pull->info.id);
    pull->KeepAlive();
  });
}

void SnapshotFetch::Pull::Touch(const consensus::Member& member, std::uint64_t id) {
  if (id == 0) return;
  RpcRequest request{Method::kSnapshotRead, key.shard, 1000, Encode(SnapshotRead{id, "", 0, 0})};
  env->Call(member.node, Channel::kBulk, std::move(request), [](RpcResponse) {});
}

void SnapshotFetch::Pull::SendAsk(Chunk& chunk) {
  chunk.state = State::kAsked;
  chunk.asked = env->executor().Now();
  if (!asked_at) asked_at = chunk.asked;
  const SnapshotRead read{info.id, info.files[chunk.file].name, chunk.offset, chunk.size, lane()};
  RpcRequest request{Method::kSnapshotRead, key.shard, PatienceMs(chunk.size), Encode(read)};
  env->Call(from.node, Channel::kBulk, std::move(request),
            [pull = shared_from_this(), number = chunk.number](RpcResponse response) {
              if (pull->done && !pull->ending) pull->OnChunk(number, std::move(response));
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
  const bool named = referrer && from.id != referrer->member.id;
  if (why == Errc::kNotFound || ++chunk.tries >= (named ? kTriesOfNamed : kTriesPerChunk)) {
    return Fail(Error(why.code(), "a snapshot chunk did not arrive: " + why.detail()));
  }
  Pump();
}

void SnapshotFetch::Pull::Write() {
  if (writing) return;
  if (window.finished()) {
    return InBackground([](store::Staging& to) { return to.Prepare(); },
                        [](Pull& pull, const Status& status) { pull.OnPrepared(status); });
  }
  const auto batch = std::make_shared<Batch>(Batch{window.TakeReady(), 0});
  if (batch->chunks.empty()) return;
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
    const std::string& name = info.files[chunk.file].name;
    if (Status put = staging->Append(name, chunk.offset, bytes); !put) return put;
    ++batch.written;
  }
  return {};
}

void SnapshotFetch::Pull::OnWritten(Batch& batch, const Status& status) {
  std::uint64_t written = 0;
  for (std::size_t i = 0; i < batch.written; ++i) written += batch.chunks[i].size;
  received += written;
  room->Written(written);
  if (status) return Pump();
  if (status.error() != Errc::kCorruption) {
    staging.reset();
    return Finish(status.error());
  }
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
    staging.reset();
    return Finish(status.error());
  }
  Finish(std::move(staging));
}

void SnapshotFetch::Pull::Close() {
  CloseAt(from, info.id);
  if (referrer) CloseAt(referrer->member, referrer->id);
}

void SnapshotFetch::Pull::CloseAt(const consensus::Member& member, std::uint64_t id) {
  if (id == 0) return;  // nothing was opened
  RpcRequest request{Method::kSnapshotClose, key.shard, 1000, Encode(SnapshotClose{id})};
  env->Call(member.node, Channel::kBulk, std::move(request), [](RpcResponse) {});
}

// What is just being written is part of what has come.
void SnapshotFetch::Pull::Fail(const Error& why) {
  if (!writing) return Finish(why);
  ending = why;
}

void SnapshotFetch::Pull::Finish(Result<std::unique_ptr<store::Staging>> result) {
  Done finished = std::move(done);
  done = nullptr;
  finished(std::move(result));  // installs the rows
  Close();
}

}  // namespace decree::node

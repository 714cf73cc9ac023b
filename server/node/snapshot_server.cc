#include "server/node/snapshot_server.h"

#include "kv/base/frame.h"
#include "kv/base/mark.h"

namespace decree::node {
namespace {

constexpr Duration kIdle = 60s;
constexpr Duration kLongestWait = 1s;  // well below the time-out of a call
constexpr std::uint32_t kMaxChunk = 4u << 20;

RpcResponse Refuse(const Error& error) {
  RpcResponse response;
  response.code = error.code();
  response.detail = error.detail();
  return response;
}

std::string Checksummed(std::string_view bytes) {
  std::uint64_t hash = Hash64(bytes);
  std::string out;
  out.reserve(sizeof hash + bytes.size());
  for (std::size_t i = 0; i < sizeof hash; ++i, hash >>= 8) out.push_back(static_cast<char>(hash));
  out.append(bytes);
  return out;
}

// On one of the disk's threads.
RpcResponse ReadChunk(const store::SnapshotSource& source, const SnapshotRead& read) {
  const Result<std::string> bytes = source.Read(read.file, read.offset, read.size);
  if (!bytes) return Refuse(bytes.error());
  RpcResponse response;
  response.body = Checksummed(*bytes);
  return response;
}

// On one of the disk's threads.
RpcResponse ReadAll(const store::SnapshotSource& source, SnapshotInfo info) {
  for (const store::SnapshotFile& file : info.files) {
    Result<std::string> bytes = source.Read(file.name, 0, file.bytes);
    if (!bytes) return Refuse(bytes.error());
    info.contents.push_back(*std::move(bytes));
  }
  RpcResponse response;
  response.body = Encode(info);
  return response;
}

}  // namespace

void SnapshotServer::Open(ShardHost& host, const SnapshotOpen& open, HostEnv& env, RpcReply reply) {
  if (host.facts().applied < open.at_least) {
    return reply(Refuse(Error(Errc::kUnavailable, "the rows of this replica are behind")));
  }
  if (!open.here && env.config().snapshots_from_followers) {
    if (const auto other = host.FindSource(open.reader, open.avoid)) {
      return Refer(host, *other, open.reader, env, reply);
    }
  }
  const consensus::Config& config = host.replica().config();
  const consensus::Member* reader = config.Find(open.reader);
  SnapshotInfo info;
  info.at_least = host.facts().applied;
  info.reader_votes = config.IsVoter(open.reader);
  const bool same_node = reader != nullptr && reader->node == env.node();
  host.OpenSnapshot(open.reader, [this, &env, key = host.key(), disk = &host.disk(), info,
                                  same_node, chunks = open.chunks, reply = std::move(reply)](
                                     Result<ShardHost::SnapshotFiles> files) mutable {
    if (!files) return reply(Refuse(files.error()));
    if (same_node) info.directory = (*files)->directory();
    info.files = (*files)->files();
    OnFrozen({key, disk, *std::move(files), {}}, std::move(info), chunks, env, std::move(reply));
  });
}

void SnapshotServer::Refer(ShardHost& host, const FitSource& other, ReplicaId reader, HostEnv& env,
                           const RpcReply& reply) {
  SOMETIMES(snapshot_from_a_follower);
  SnapshotInfo info;
  info.instead = other.member;
  info.at_least = other.slot;
  Keep({host.key(), &host.disk(), host.PinLog(reader, other.slot), {}}, std::move(info), env,
       reply);
}

void SnapshotServer::OnFrozen(OpenSnapshot snapshot, SnapshotInfo info, bool chunks, HostEnv& env,
                              RpcReply reply) {
  std::uint64_t bytes = 0;
  for (const store::SnapshotFile& file : info.files) bytes += file.bytes;
  const Lane lane = info.reader_votes ? Lane::kVoter : Lane::kUsual;
  MoveGate& gate = env.move_gate(*snapshot.disk);
  const bool small =
      !chunks && info.directory.empty() && bytes <= env.config().inline_snapshot_bytes;
  if (!small || !gate.Take(env.executor().Now(), bytes, lane, Duration::zero())) {
    return Keep(std::move(snapshot), std::move(info), env, reply);
  }
  SOMETIMES(snapshot_went_with_the_answer);
  store::Disk* disk = snapshot.disk;
  disk->RunInBackground([source = std::move(snapshot.source), executor = &env.executor(),
                         info = std::move(info), reply = std::move(reply)]() mutable {
    auto response = std::make_shared<RpcResponse>(ReadAll(*source, std::move(info)));
    source.reset();
    executor->Post([response, reply = std::move(reply)] { reply(std::move(*response)); });
  });
}

void SnapshotServer::Keep(OpenSnapshot snapshot, SnapshotInfo info, HostEnv& env,
                          const RpcReply& reply) {
  info.id = ++last_id_;
  snapshot.last_used = env.executor().Now();
  open_[info.id] = std::move(snapshot);
  WatchIdle(env.executor());
  RpcResponse response;
  response.body = Encode(info);
  reply(std::move(response));
}

void SnapshotServer::WatchIdle(Executor& executor) {
  if (watching_ || open_.empty()) return;
  watching_ = true;
  executor.RunAt(executor.Now() + kIdle / 2, [this, &executor] {
    watching_ = false;
    const Instant oldest = executor.Now() - kIdle;
    std::erase_if(open_, [&](const auto& item) { return item.second.last_used < oldest; });
    WatchIdle(executor);
  });
}

void SnapshotServer::Read(const SnapshotRead& read, HostEnv& env, RpcReply reply) {
  const auto open = open_.find(read.id);
  if (open == open_.end()) return reply(Refuse(Error(Errc::kNotFound, "the snapshot is gone")));
  if (read.size > kMaxChunk) return reply(Refuse(Errc::kTooLarge));
  Executor& executor = env.executor();
  open->second.last_used = executor.Now();
  const auto wait =
      env.move_gate(*open->second.disk).Take(executor.Now(), read.size, read.lane, kLongestWait);
  if (!wait) {
    SOMETIMES(snapshot_source_is_busy);
    return reply(Refuse(Error(Errc::kBusy, "the disk of the source carries enough moves")));
  }
  if (*wait == Duration::zero()) return ReadNow(read, executor, std::move(reply));
  executor.RunAt(executor.Now() + *wait, [this, read, &executor, reply = std::move(reply)] {
    ReadNow(read, executor, reply);
  });
}

void SnapshotServer::ReadNow(const SnapshotRead& read, Executor& executor, RpcReply reply) {
  const auto open = open_.find(read.id);
  if (open == open_.end()) return reply(Refuse(Error(Errc::kNotFound, "the snapshot is gone")));
  open->second.disk->RunInBackground(
      [source = open->second.source, read, &executor, reply = std::move(reply)] {
        auto response = std::make_shared<RpcResponse>(ReadChunk(*source, read));
        executor.Post([response, reply] { reply(std::move(*response)); });
      });
}

void SnapshotServer::DropReplica(ReplicaKey key) {
  std::erase_if(open_, [&](const auto& item) { return item.second.key == key; });
}

}  // namespace decree::node

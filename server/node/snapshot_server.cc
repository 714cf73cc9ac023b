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

}  // namespace

void SnapshotServer::Open(ShardHost& host, ReplicaId reader, Executor& executor, RpcReply reply) {
  SnapshotInfo info;
  info.at_least = host.facts().applied;
  info.reader_votes = host.replica().config().IsVoter(reader);
  host.OpenSnapshot(reader, [this, &executor, key = host.key(), disk = &host.disk(), info,
                             reply = std::move(reply)](Result<ShardHost::SnapshotFiles> files) {
    if (!files) return reply(Refuse(files.error()));
    OnFrozen({key, disk, *files, executor.Now()}, info, executor, reply);
  });
}

void SnapshotServer::OnFrozen(const OpenSnapshot& snapshot, SnapshotInfo info, Executor& executor,
                              RpcReply reply) {
  info.id = ++last_id_;
  for (const store::SnapshotFile& file : snapshot.source->files()) {
    info.files.emplace_back(file.name, file.bytes);
  }
  open_[info.id] = snapshot;
  WatchIdle(executor);
  RpcResponse response;
  response.body = Encode(info);
  reply(std::move(response));
}

// As long as any is open, whether or not another one is opened.
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

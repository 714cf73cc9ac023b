#include "server/node/catalog.h"

#include <string>

namespace decree::node {
namespace {

constexpr const char* kIdentityKey = "identity";
constexpr const char* kMapKey = "map";
constexpr const char* kShellPrefix = "replica/";

std::string ShellKey(ReplicaKey key) { return kShellPrefix + ToString(key); }
std::string TombstoneKey(ShardId shard) { return "tombstone/" + ToString(shard); }

template <class T>
Result<std::optional<T>> LoadFact(store::Disk& disk, const std::string& key) {
  auto bytes = disk.GetMeta(key);
  if (!bytes) return bytes.error();
  if (!*bytes) return std::optional<T>();
  Result<T> fact = Decode<T>(**bytes);
  if (!fact) return Error(Errc::kCorruption, disk.path() + ": the fact '" + key + "' is damaged");
  return std::optional<T>(std::move(*fact));
}

}  // namespace

Result<std::optional<Identity>> Catalog::LoadIdentity() {
  return LoadFact<Identity>(*disk_, kIdentityKey);
}

Status Catalog::SaveIdentity(const Identity& identity) {
  return disk_->PutMeta(kIdentityKey, Encode(identity));
}

Result<std::vector<ReplicaShell>> Catalog::LoadShells() {
  auto facts = disk_->ListMeta(kShellPrefix);
  if (!facts) return facts.error();
  std::vector<ReplicaShell> shells;
  for (const auto& [key, bytes] : *facts) {
    Result<ReplicaShell> shell = Decode<ReplicaShell>(bytes);
    if (!shell)
      return Error(Errc::kCorruption, disk_->path() + ": the fact '" + key + "' is damaged");
    shells.push_back(std::move(*shell));
  }
  return shells;
}

Result<std::optional<ReplicaShell>> Catalog::LoadShell(ReplicaKey key) {
  return LoadFact<ReplicaShell>(*disk_, ShellKey(key));
}

Status Catalog::SaveShell(const ReplicaShell& shell) {
  return disk_->PutMeta(ShellKey(shell.key), Encode(shell));
}

Status Catalog::DropShell(ReplicaKey key) { return disk_->DeleteMeta(ShellKey(key)); }

Result<ReplicaId> Catalog::LoadTombstone(ShardId shard) {
  auto removed = LoadFact<ReplicaId>(*disk_, TombstoneKey(shard));
  if (!removed) return removed.error();
  return removed->value_or(ReplicaId{});
}

Status Catalog::SaveTombstone(ShardId shard, ReplicaId removed) {
  auto former = LoadTombstone(shard);
  if (!former) return former.error();
  if (*former >= removed) return {};
  return disk_->PutMeta(TombstoneKey(shard), Encode(removed));
}

Result<std::optional<ShardMap>> Catalog::LoadMap() { return LoadFact<ShardMap>(*disk_, kMapKey); }

Status Catalog::SaveMap(const ShardMap& map) { return disk_->PutMeta(kMapKey, Encode(map)); }

}  // namespace decree::node

#include "kv/store/mem_snapshot.h"

#include <utility>
#include <vector>

#include "kv/base/codec.h"
#include "kv/base/frame.h"

namespace decree::store {
namespace {

constexpr char kManifest[] = "MANIFEST";
constexpr std::size_t kFileBytes = std::size_t{64} << 10;

using PackedRows = std::vector<std::pair<std::string, std::string>>;

struct MemManifestFile {
  std::string name;
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0;
  DECREE_FIELDS(name, bytes, hash)
};
struct MemManifest {
  std::vector<MemManifestFile> files;
  DECREE_FIELDS(files)
};

class MemSnapshot : public SnapshotSource {
 public:
  explicit MemSnapshot(MemFiles files) : content_(std::move(files)) {
    for (const auto& [name, bytes] : content_) {
      files_.push_back({name, bytes.size(), std::to_string(Hash64(bytes))});
    }
  }
  const std::vector<SnapshotFile>& files() const override { return files_; }
  Result<std::string> Read(const std::string& file, std::uint64_t offset,
                           std::size_t size) const override {
    const auto it = content_.find(file);
    if (it == content_.end()) return Error(Errc::kNotFound, "no snapshot file " + file);
    if (offset >= it->second.size()) return std::string();
    return it->second.substr(offset, size);
  }

 private:
  const MemFiles content_;
  std::vector<SnapshotFile> files_;
};

void AddFile(const PackedRows& rows, MemFiles* files, MemManifest* manifest) {
  const std::string name = "rows-" + std::to_string(manifest->files.size());
  std::string bytes = Encode(rows);
  manifest->files.push_back({name, bytes.size(), Hash64(bytes)});
  files->emplace(name, std::move(bytes));
}

Status UnpackFile(const MemManifestFile& expected, const MemFiles& files, MemRows* rows) {
  const auto it = files.find(expected.name);
  if (it == files.end()) return Error(Errc::kCorruption, "missing snapshot file " + expected.name);
  if (it->second.size() != expected.bytes || Hash64(it->second) != expected.hash) {
    return Error(Errc::kCorruption, "damaged snapshot file " + expected.name);
  }
  Result<PackedRows> packed = Decode<PackedRows>(it->second);
  if (!packed) return Error(Errc::kCorruption, "malformed snapshot file " + expected.name);
  for (auto& [key, value] : *packed) {
    rows->insert_or_assign(std::move(key), std::make_shared<const std::string>(std::move(value)));
  }
  return {};
}

}  // namespace

MemFiles PackRows(const MemRows& rows) {
  MemFiles files;
  MemManifest manifest;
  PackedRows part;
  std::size_t bytes = 0;
  for (const auto& [key, value] : rows) {
    part.emplace_back(key, *value);
    bytes += key.size() + value->size();
    if (bytes < kFileBytes) continue;
    AddFile(part, &files, &manifest);
    part.clear();
    bytes = 0;
  }
  if (!part.empty()) AddFile(part, &files, &manifest);
  files.emplace(kManifest, Encode(manifest));
  return files;
}

Result<MemRows> UnpackRows(const MemFiles& files) {
  const auto it = files.find(kManifest);
  if (it == files.end()) return Error(Errc::kCorruption, "snapshot without MANIFEST");
  const Result<MemManifest> manifest = Decode<MemManifest>(it->second);
  if (!manifest) return Error(Errc::kCorruption, "malformed snapshot file MANIFEST");
  if (files.size() != manifest->files.size() + 1) {
    return Error(Errc::kCorruption, "snapshot with files that its MANIFEST does not name");
  }
  MemRows rows;
  for (const MemManifestFile& file : manifest->files) {
    if (Status status = UnpackFile(file, files, &rows); !status) return status.error();
  }
  return rows;
}

std::shared_ptr<SnapshotSource> MakeMemSnapshot(MemFiles files) {
  return std::make_shared<MemSnapshot>(std::move(files));
}

}  // namespace decree::store

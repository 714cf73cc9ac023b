#include "tests/store/power_loss.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace decree::store {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

PowerLoss::PowerLoss(std::string root) : root_(std::move(root)) { TakeAllAsDurable(root_); }

PowerLoss::~PowerLoss() { Forget(); }

void PowerLoss::Forget() {
  for (auto& [id, node] : nodes_) ::close(node.fd);
  nodes_.clear();
}

std::optional<PowerLoss::FileId> PowerLoss::Know(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  struct stat info;
  if (fd < 0 || ::fstat(fd, &info) != 0) return std::nullopt;
  Node& node = nodes_[info.st_ino];
  if (node.fd >= 0) {
    ::close(fd);
  } else {
    node.fd = fd;
    node.directory = S_ISDIR(info.st_mode);
  }
  return info.st_ino;
}

std::string PowerLoss::Reach(FileId id) const {
  return "/proc/self/fd/" + std::to_string(nodes_.at(id).fd);
}

std::map<std::string, PowerLoss::FileId> PowerLoss::NamesIn(FileId directory) {
  std::map<std::string, FileId> names;
  std::error_code error;
  fs::directory_iterator it(Reach(directory), error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    if (const auto id = Know(it->path().string())) names[it->path().filename().string()] = *id;
  }
  return names;
}

void PowerLoss::TakeAllAsDurable(const std::string& directory) {
  const auto id = Know(directory);
  if (!id) return;
  nodes_[*id].names = NamesIn(*id);
  for (const auto& [name, inner] : nodes_[*id].names) {
    const std::string path = directory + "/" + name;
    if (nodes_[inner].directory) {
      TakeAllAsDurable(path);
    } else {
      nodes_[inner].bytes = ReadAll(path);
    }
  }
}

int PowerLoss::OnCall(FileOp op, const std::string& path) {
  if (op == FileOp::kOpen || op == FileOp::kRename) return 0;
  if (!path.starts_with(root_)) return kPretend;  // the directories above it
  const std::lock_guard lock(mutex_);
  const auto id = Know(path);
  if (!id) return 0;
  Node& node = nodes_[*id];
  switch (op) {
    case FileOp::kAllocate:
    case FileOp::kWrite:
      node.ours = true;
      node.lost = false;
      return 0;
    case FileOp::kSync:
      node.ours = true;
      if (!node.lost) node.bytes = ReadAll(path);
      return kPretend;
    case FileOp::kSyncDirectory:
      node.names = NamesIn(*id);
      return kPretend;
    default:
      return 0;
  }
}

void PowerLoss::OnFailedSync(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (const auto id = Know(path)) nodes_[*id].lost = true;
}

void PowerLoss::Write(FileId id, const std::string& to) {
  const Node& node = nodes_.at(id);
  if (!node.directory) {
    std::ofstream(to, std::ios::binary) << (node.ours ? node.bytes : ReadAll(Reach(id)));
    return;
  }
  fs::create_directory(to);
  auto names = node.names;
  for (const auto& [name, inner] : NamesIn(id)) {
    if (!nodes_.at(inner).directory && !nodes_.at(inner).ours) names[name] = inner;
  }
  for (const auto& [name, inner] : names) Write(inner, to + "/" + name);
}

void PowerLoss::Survive(const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (const auto id = Know(root_)) Write(*id, to);
}

void PowerLoss::Strike() {
  const std::string survivors = root_ + ".survivors";
  Survive(survivors);
  fs::remove_all(root_);
  fs::rename(survivors, root_);
  const std::lock_guard lock(mutex_);
  Forget();
  TakeAllAsDurable(root_);
}

}  // namespace decree::store

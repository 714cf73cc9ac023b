#include "tests/sim/sim_fs.h"

#include <errno.h>

#include <algorithm>
#include <utility>

namespace decree::sim {

struct FsNode {
  struct Sector {
    std::vector<std::string> past;  // its contents before each write; the first one is durable
    bool lost = false;              // a failed sync: clean to the kernel, never written
  };

  bool directory = false;
  std::map<std::string, FsNodePtr> names;    // of a directory, as calls see them
  std::map<std::string, FsNodePtr> durable;  // as a power loss leaves them
  std::string bytes;                         // of a file, as calls see them
  std::uint64_t durable_size = 0;
  std::map<std::uint64_t, Sector> dirty;
  std::uint64_t last_write = 0;  // where the last one began

  std::string SectorNow(std::uint64_t sector) const {
    const std::uint64_t at = sector * SimFs::kSector;
    return at < bytes.size() ? bytes.substr(at, SimFs::kSector) : std::string();
  }
  // Before the bytes of [begin, end) change.
  void Touch(std::uint64_t begin, std::uint64_t end) {
    constexpr std::size_t kRemembered = 4;
    for (std::uint64_t i = begin / SimFs::kSector; i * SimFs::kSector < end; ++i) {
      Sector& sector = dirty[i];
      sector.lost = false;
      if (sector.past.size() < kRemembered) sector.past.push_back(SectorNow(i));
    }
  }
};

namespace {

std::string ParentOf(const std::string& path, std::string* name) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  const std::size_t slash = trimmed.find_last_of('/');
  *name = trimmed.substr(slash == std::string::npos ? 0 : slash + 1);
  return slash == std::string::npos ? "" : trimmed.substr(0, slash);
}

}  // namespace

SimFs::SimFs(std::uint64_t seed, std::uint64_t capacity)
    : root_(std::make_shared<FsNode>()), random_(seed), capacity_(capacity) {
  root_->directory = true;
}

SimFs::~SimFs() = default;

FsNodePtr SimFs::Find(const std::string& path) const {
  FsNodePtr node = root_;
  for (std::size_t at = 0; node && at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (end > at) {
      const auto found = node->names.find(path.substr(at, end - at));
      node = found == node->names.end() ? nullptr : found->second;
    }
    at = end + 1;
  }
  return node;
}

FsNodePtr SimFs::FindParent(const std::string& path, std::string* name) const {
  const FsNodePtr parent = Find(ParentOf(path, name));
  return parent && parent->directory ? parent : nullptr;
}

// ---- files ----

int SimFs::Open(const std::string& path, Missing missing, FsNodePtr* file) {
  if (dead_) return EIO;
  *file = Find(path);
  if (*file) return (*file)->directory ? EISDIR : 0;
  if (missing == Missing::kFail) return ENOENT;
  *file = std::make_shared<FsNode>();
  return Add(path, *file);
}

int SimFs::Write(FsNode& file, std::uint64_t offset, std::string_view bytes) {
  if (dead_) return EIO;
  const std::uint64_t end = offset + bytes.size();
  if (end > file.bytes.size() && full_) return ENOSPC;
  file.Touch(std::min<std::uint64_t>(offset, file.bytes.size()), end);
  if (end > file.bytes.size()) file.bytes.resize(end);
  file.last_write = offset;
  file.bytes.replace(offset, bytes.size(), bytes);
  return Dies() ? EIO : 0;
}

int SimFs::Resize(FsNode& file, std::uint64_t size) {
  if (dead_) return EIO;
  if (size > file.bytes.size() && full_) return ENOSPC;
  const std::uint64_t now = file.bytes.size();
  file.Touch(std::min(now, size), std::max(now, size));
  file.bytes.resize(size);
  return Dies() ? EIO : 0;
}

int SimFs::Read(const FsNode& file, std::uint64_t offset, std::size_t size,
                std::string* bytes) const {
  if (dead_) return EIO;
  *bytes = offset < file.bytes.size() ? file.bytes.substr(offset, size) : std::string();
  return 0;
}

int SimFs::Size(const FsNode& file, std::uint64_t* size) const {
  if (dead_) return EIO;
  *size = file.bytes.size();
  return 0;
}

int SimFs::Sync(FsNode& file) {
  if (dead_ || Dies()) return EIO;
  if (std::exchange(fail_next_sync_, false)) {
    for (auto& [index, sector] : file.dirty) sector.lost = true;
    return EIO;
  }
  std::erase_if(file.dirty, [](const auto& each) { return !each.second.lost; });
  file.durable_size = file.bytes.size();
  return 0;
}

// ---- names ----

void SimFs::Apply(const Change& change, bool durable) {
  const auto names = [&](const Entry& entry) -> auto& {
    return durable ? entry.directory->durable : entry.directory->names;
  };
  for (const Entry& entry : change.removed) names(entry).erase(entry.name);
  for (const Entry& entry : change.added) names(entry)[entry.name] = entry.node;
}

void SimFs::Make(Change change) {
  Apply(change, false);
  pending_.push_back(std::move(change));
}

int SimFs::Add(const std::string& path, const FsNodePtr& node) {
  std::string name;
  const FsNodePtr parent = FindParent(path, &name);
  if (!parent) return ENOENT;
  if (parent->names.contains(name)) return EEXIST;
  Make({{}, {{parent, name, node}}});
  return Dies() ? EIO : 0;
}

int SimFs::MakeDirectory(const std::string& path) {
  if (dead_) return EIO;
  auto directory = std::make_shared<FsNode>();
  directory->directory = true;
  return Add(path, directory);
}

int SimFs::Link(const std::string& from, const std::string& to) {
  if (dead_) return EIO;
  const FsNodePtr node = Find(from);
  if (!node) return ENOENT;
  return node->directory ? EPERM : Add(to, node);
}

int SimFs::Rename(const std::string& from, const std::string& to) {
  if (dead_) return EIO;
  std::string from_name;
  std::string to_name;
  const FsNodePtr node = Find(from);
  const FsNodePtr from_parent = FindParent(from, &from_name);
  const FsNodePtr to_parent = FindParent(to, &to_name);
  if (!node || !from_parent || !to_parent) return ENOENT;
  const FsNodePtr there = Find(to);
  if (there == node) return 0;
  if (there && there->directory != node->directory) return node->directory ? ENOTDIR : EISDIR;
  if (there && !there->names.empty()) return ENOTEMPTY;
  Make({{{from_parent, from_name, node}}, {{to_parent, to_name, node}}});
  return Dies() ? EIO : 0;
}

int SimFs::RemoveFile(const std::string& path) {
  if (dead_) return EIO;
  std::string name;
  const FsNodePtr node = Find(path);
  const FsNodePtr parent = FindParent(path, &name);
  if (!node || !parent) return ENOENT;
  if (node->directory) return EISDIR;
  Make({{{parent, name, node}}, {}});
  return Dies() ? EIO : 0;
}

int SimFs::RemoveDirectory(const std::string& path) {
  if (dead_) return EIO;
  std::string name;
  const FsNodePtr node = Find(path);
  const FsNodePtr parent = FindParent(path, &name);
  if (!node || !parent) return ENOENT;
  if (!node->directory) return ENOTDIR;
  if (!node->names.empty()) return ENOTEMPTY;
  Make({{{parent, name, node}}, {}});
  return Dies() ? EIO : 0;
}

int SimFs::RemoveTree(const std::string& path) {
  const FsNodePtr node = Find(path);
  if (dead_) return EIO;
  if (!node) return 0;
  if (!node->directory) return RemoveFile(path);
  const std::map<std::string, FsNodePtr> names = node->names;
  for (const auto& [name, inner] : names) {
    if (const int error = RemoveTree(path + "/" + name)) return error;
  }
  return RemoveDirectory(path);
}

// A change needs what was done before to a name that it touches.
bool SimFs::Depends(const Change& later, const Change& earlier) {
  const auto entries = [](const Change& change) {
    std::vector<Entry> all = change.removed;
    all.insert(all.end(), change.added.begin(), change.added.end());
    return all;
  };
  const std::vector<Entry> others = entries(earlier);
  const std::vector<Entry> ours = entries(later);
  return std::any_of(ours.begin(), ours.end(), [&](const Entry& a) {
    return std::any_of(others.begin(), others.end(), [&](const Entry& b) {
      return a.directory == b.directory && a.name == b.name;
    });
  });
}

// The changes become durable, and with each those that it needs.
void SimFs::Commit(std::vector<bool> which) {
  for (std::size_t later = pending_.size(); later-- > 0;) {
    if (!which[later]) continue;
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      if (Depends(pending_[later], pending_[earlier])) which[earlier] = true;
    }
  }
  std::vector<Change> left;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (which[i]) {
      Apply(pending_[i], true);
    } else {
      left.push_back(std::move(pending_[i]));
    }
  }
  pending_ = std::move(left);
}

int SimFs::SyncDirectory(const std::string& path) {
  if (dead_ || Dies()) return EIO;
  const FsNodePtr directory = Find(path);
  if (!directory) return ENOENT;
  if (std::exchange(fail_next_sync_, false)) {
    return EIO;
  }
  const auto here = [&](const Entry& entry) { return entry.directory == directory; };
  std::vector<bool> which;
  for (const Change& change : pending_) {
    which.push_back(std::any_of(change.removed.begin(), change.removed.end(), here) ||
                    std::any_of(change.added.begin(), change.added.end(), here));
  }
  Commit(std::move(which));
  return 0;
}

int SimFs::List(const std::string& directory, std::vector<std::string>* names) const {
  if (dead_) return EIO;
  const FsNodePtr node = Find(directory);
  if (!node) return ENOENT;
  if (!node->directory) return ENOTDIR;
  names->clear();
  for (const auto& [name, inner] : node->names) names->push_back(name);
  return 0;
}

int SimFs::Exists(const std::string& path, bool* exists) const {
  if (dead_) return EIO;
  *exists = Find(path) != nullptr;
  return 0;
}

int SimFs::IsDirectory(const std::string& path, bool* directory) const {
  if (dead_) return EIO;
  const FsNodePtr node = Find(path);
  if (!node) return ENOENT;
  *directory = node->directory;
  return 0;
}

int SimFs::Links(const std::string& path, std::uint64_t* count) const {
  if (dead_) return EIO;
  const FsNodePtr wanted = Find(path);
  if (!wanted) return ENOENT;
  *count = 0;
  Walk(root_, "", [&](const std::string&, const FsNodePtr& node) { *count += node == wanted; });
  return 0;
}

int SimFs::Lock(const std::string& path) {
  if (dead_) return EIO;
  return locks_.insert(path).second ? 0 : EWOULDBLOCK;
}

void SimFs::Unlock(const std::string& path) { locks_.erase(path); }

void SimFs::Walk(const FsNodePtr& node, const std::string& path,
                 const std::function<void(const std::string&, const FsNodePtr&)>& visit) const {
  visit(path, node);
  for (const auto& [name, inner] : node->names) Walk(inner, path + "/" + name, visit);
}

std::uint64_t SimFs::used() const {
  std::set<const FsNode*> counted;  // a file of several names is stored once
  std::uint64_t bytes = 0;
  Walk(root_, "", [&](const std::string&, const FsNodePtr& node) {
    if (counted.insert(node.get()).second) bytes += node->bytes.size();
  });
  return bytes;
}

std::uint64_t SimFs::capacity() const { return full_ ? used() : capacity_; }

// ---- the ends of a life ----

void SimFs::DieAfter(std::uint64_t calls, std::function<void()> died) {
  calls_left_ = calls;
  died_ = std::move(died);
}

bool SimFs::Dies() {
  if (calls_left_ == 0 || --calls_left_ > 0) return false;
  dead_ = true;
  if (died_) died_();
  return true;
}

std::shared_ptr<SimFs> SimFs::Successor() {
  auto next = std::make_shared<SimFs>(random_.Next(), capacity_);
  next->full_ = full_;
  next->root_ = std::exchange(root_, std::make_shared<FsNode>());
  next->pending_ = std::exchange(pending_, {});
  dead_ = true;
  died_ = nullptr;
  return next;
}

std::shared_ptr<SimFs> SimFs::AfterProcessEnd() { return Successor(); }

std::shared_ptr<SimFs> SimFs::AfterPowerLoss() {
  const auto next = Successor();
  const auto survivors = static_cast<Survivors>(next->random_.Below(4));
  next->LoseNames(survivors);
  std::set<const FsNode*> seen;
  next->Walk(next->root_, "", [&](const std::string&, const FsNodePtr& node) {
    if (!node->directory && seen.insert(node.get()).second) next->LoseBytes(*node, survivors);
  });
  return next;
}

bool SimFs::Survives(const Change& change, std::map<const FsNode*, bool>& over) {
  bool survives = true;
  for (const auto* entries : {&change.removed, &change.added}) {
    for (const Entry& entry : *entries) {
      const auto [it, fresh] = over.try_emplace(entry.directory.get(), false);
      if (fresh) it->second = random_.Chance(0.3);
      it->second = it->second || random_.Chance(0.2);
      survives = survives && !it->second;
    }
  }
  return survives;
}

void SimFs::LoseNames(Survivors survivors) {
  const std::size_t all = pending_.size();
  const std::size_t beginning = random_.Below(all + 1);
  std::map<const FsNode*, bool> over;  // directories of which nothing later survives
  std::vector<bool> which(all);
  for (std::size_t i = 0; i < all; ++i) {
    which[i] = survivors == Survivors::kAll ||
               (survivors == Survivors::kBeginning && i < beginning) ||
               (survivors == Survivors::kAny && Survives(pending_[i], over));
  }
  Commit(std::move(which));
  pending_.clear();
  std::vector<FsNodePtr> directories = {root_};
  while (!directories.empty()) {
    const FsNodePtr directory = std::move(directories.back());
    directories.pop_back();
    directory->names = directory->durable;
    for (const auto& [name, inner] : directory->names) {
      if (inner->directory) directories.push_back(inner);
    }
  }
}

void SimFs::LoseBytes(FsNode& file, Survivors survivors) {
  const bool mixed = survivors == Survivors::kBeginning || survivors == Survivors::kAny;
  const auto [least, most] = std::minmax({file.durable_size, std::uint64_t{file.bytes.size()}});
  std::uint64_t size = survivors == Survivors::kAll ? file.bytes.size() : file.durable_size;
  if (mixed) size = random_.Between(least, most);
  file.bytes.resize(std::max(most, size));
  for (const auto& [index, sector] : file.dirty) {
    const std::size_t now = sector.past.size();  // none of the past ones
    std::size_t chosen = survivors == Survivors::kAll && !sector.lost ? now : 0;
    if (mixed && !(sector.lost && random_.Chance(0.5))) chosen = random_.Below(now + 1);
    if (chosen == now) continue;
    std::string content = sector.past[chosen];
    content.resize(kSector);
    const std::uint64_t at = index * kSector;
    if (at >= file.bytes.size()) continue;
    content.resize(std::min<std::uint64_t>(kSector, file.bytes.size() - at));
    file.bytes.replace(at, content.size(), content);
  }
  file.bytes.resize(size);
  file.dirty.clear();
  file.durable_size = size;
}

// ---- faults ----

std::string SimFs::Rot(const std::string& files, Where where) {
  const auto room = [&](const FsNode& node) {
    return where == Where::kAnywhere ? node.bytes.size() : node.last_write;
  };
  std::vector<std::pair<std::string, FsNodePtr>> found;
  Walk(root_, "", [&](const std::string& path, const FsNodePtr& node) {
    if (room(*node) > 0 && path.find(files) != std::string::npos) found.emplace_back(path, node);
  });
  if (found.empty()) return "";
  const auto& [path, node] = found[random_.Below(found.size())];
  const std::uint64_t at = random_.Below(room(*node));
  const auto flip = [bit = random_.Below(8)](char& byte) {
    byte = static_cast<char>(byte ^ (1 << bit));
  };
  flip(node->bytes[at]);
  const auto dirty = node->dirty.find(at / kSector);
  if (dirty != node->dirty.end()) {
    for (std::string& past : dirty->second.past) {
      if (at % kSector < past.size()) flip(past[at % kSector]);
    }
  }
  return path;
}

std::string SimFs::ReadDamage(const std::string& path, std::string bytes) {
  if (damage_next_read_.empty() || bytes.empty()) return bytes;
  if (path.find(damage_next_read_) == std::string::npos) return bytes;
  damage_next_read_.clear();
  char& byte = bytes[random_.Below(bytes.size())];
  byte = static_cast<char>(byte ^ 4);
  return bytes;
}

// ---- old states ----

namespace {

// Everything in it is durable.
FsNodePtr DeepCopy(const FsNode& node) {
  auto copy = std::make_shared<FsNode>();
  copy->directory = node.directory;
  copy->bytes = node.bytes;
  copy->durable_size = node.bytes.size();
  for (const auto& [name, inner] : node.names) copy->names[name] = DeepCopy(*inner);
  copy->durable = copy->names;
  return copy;
}

}  // namespace

FsNodePtr SimFs::Copy(const std::string& path) const {
  const FsNodePtr node = Find(path);
  return node ? DeepCopy(*node) : nullptr;
}

std::string SimFs::PutBackOne(const FsNodePtr& copy, const std::string& path, std::uint64_t which) {
  const FsNodePtr parent = Find(path);
  if (dead_ || !copy || !parent) return {};
  std::vector<std::string> there;
  for (const auto& [name, inner] : copy->names) {
    if (parent->names.contains(name)) there.push_back(name);
  }
  if (there.empty()) return {};
  const std::string& name = there[which % there.size()];
  parent->names[name] = parent->durable[name] = DeepCopy(*copy->names.at(name));
  return name;
}

}  // namespace decree::sim

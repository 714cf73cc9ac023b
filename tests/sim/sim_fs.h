// A file system in memory that knows what a power loss leaves of it. Bytes are durable when their
// file was synced; names when the directory they stand in was synced, and not before. Of all that
// was not synced, the seed draws what survives: nothing, everything, or any part of it that the
// real world could leave: sectors in any order, the names of one directory in theirs, as journaling
// file systems keep it. (RocksDB counts on that: it lets CURRENT name a manifest before the
// directory that holds both is synced.) Both the product's own files
// (sim_files.h) and RocksDB's (rocks_fs.h) live in it.
//
// One life of a machine uses one SimFs; the next life gets its successor, and whoever still holds
// the old one finds every call failing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kv/base/random.h"

namespace decree::sim {

// A file or a directory, whatever its names are.
struct FsNode;
using FsNodePtr = std::shared_ptr<FsNode>;

// Calls return 0 or an errno. Paths are absolute.
class SimFs {
 public:
  static constexpr std::uint64_t kSector = 512;  // reaches the disk whole or not at all

  explicit SimFs(std::uint64_t seed, std::uint64_t capacity = std::uint64_t{1} << 40);
  ~SimFs();
  SimFs(const SimFs&) = delete;
  SimFs& operator=(const SimFs&) = delete;

  // ---- files ----
  enum class Missing { kFail, kCreate };
  int Open(const std::string& path, Missing missing, FsNodePtr* file);
  int Write(FsNode& file, std::uint64_t offset, std::string_view bytes);
  int Resize(FsNode& file, std::uint64_t size);
  // Short only at the end of the file.
  int Read(const FsNode& file, std::uint64_t offset, std::size_t size, std::string* bytes) const;
  int Size(const FsNode& file, std::uint64_t* size) const;
  int Sync(FsNode& file);

  // ---- names ----
  int MakeDirectory(const std::string& path);  // EEXIST, as the system says
  int Rename(const std::string& from, const std::string& to);
  int Link(const std::string& from, const std::string& to);
  int RemoveFile(const std::string& path);
  int RemoveDirectory(const std::string& path);  // an empty one
  int RemoveTree(const std::string& path);
  int SyncDirectory(const std::string& path);
  int List(const std::string& directory, std::vector<std::string>* names) const;
  int Exists(const std::string& path, bool* exists) const;
  int IsDirectory(const std::string& path, bool* directory) const;
  int Links(const std::string& path, std::uint64_t* count) const;
  int Lock(const std::string& path);  // EWOULDBLOCK: taken
  void Unlock(const std::string& path);

  std::uint64_t capacity() const;
  std::uint64_t used() const;
  std::uint64_t RandomWord() { return random_.Next(); }

  // ---- the ends of a life ----
  // The next life's file system. From now on every call here fails.
  std::shared_ptr<SimFs> AfterPowerLoss();
  std::shared_ptr<SimFs> AfterProcessEnd();  // what was written stays, synced or not
  // The machine dies inside the call that changes something when so many of them have been made:
  // that one may be half done, and later ones fail. `died` is called in that moment.
  void DieAfter(std::uint64_t calls, std::function<void()> died);
  bool dead() const { return dead_; }

  // ---- faults ----
  // The next sync fails, and the kernel takes what it should have written for clean: no later sync
  // writes it, unless it is written again.
  void FailNextSync() { fail_next_sync_ = true; }
  void SetFull(bool full) { full_ = full; }  // nothing can grow
  // Flips one bit of a file whose path contains `files`, on the disk and in what is cached. The
  // path; empty: there is no such file.
  enum class Where { kAnywhere, kNotInLastWrite };
  std::string Rot(const std::string& files, Where where);
  // The next read of such a file gets a damaged bit.
  void DamageNextRead(const std::string& files) { damage_next_read_ = files; }
  std::string ReadDamage(const std::string& path, std::string bytes);

  // ---- old states ----
  FsNodePtr Copy(const std::string& path) const;  // null: there is nothing
  // Puts one of the directories of a copied directory in the place of what it has become, durably.
  // Its name; empty: none of them is there any more.
  std::string PutBackOne(const FsNodePtr& copy, const std::string& path, std::uint64_t which);

 private:
  struct Entry {
    FsNodePtr directory;
    std::string name;
    FsNodePtr node;
  };
  // One change of names that is not durable yet; a rename is one, so that it happens or does not.
  struct Change {
    std::vector<Entry> removed;
    std::vector<Entry> added;
  };
  enum class Survivors { kNone, kAll, kBeginning, kAny };

  FsNodePtr Find(const std::string& path) const;
  FsNodePtr FindParent(const std::string& path, std::string* name) const;
  int Add(const std::string& path, const FsNodePtr& node);
  void Make(Change change);
  static void Apply(const Change& change, bool durable);
  static bool Depends(const Change& later, const Change& earlier);
  void Commit(std::vector<bool> which);
  bool Dies();
  std::shared_ptr<SimFs> Successor();
  bool Survives(const Change& change, std::map<const FsNode*, bool>& over);
  void LoseNames(Survivors survivors);
  void LoseBytes(FsNode& file, Survivors survivors);
  void Walk(const FsNodePtr& node, const std::string& path,
            const std::function<void(const std::string&, const FsNodePtr&)>& visit) const;

  FsNodePtr root_;
  std::vector<Change> pending_;  // in the order they were made
  std::set<std::string> locks_;
  Random random_;
  const std::uint64_t capacity_;
  bool dead_ = false;
  bool full_ = false;
  bool fail_next_sync_ = false;
  std::string damage_next_read_;
  std::uint64_t calls_left_ = 0;  // 0: no death is due
  std::function<void()> died_;
};

}  // namespace decree::sim

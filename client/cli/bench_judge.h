// Is the history of many clients linearizable? Versions decide it without a search: the writes of a
// key have versions that grow, a read tells the version that it saw. In the order of versions each
// operation must come no earlier than what had ended before it began: a read at least at the
// highest version then known, a write above it. A version stands for one value. What failed is not
// judged: neither whether it was applied after all, nor a value that nobody is known to have
// written. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace decree::cli {

class VersionJudge {
 public:
  // Before an operation begins: what it must not be older than.
  std::uint64_t Begin(const std::string& key);
  void Wrote(const std::string& key, std::uint64_t floor, std::uint64_t version,
             std::string_view value);
  void Read(const std::string& key, std::uint64_t floor, std::uint64_t version,
            std::string_view value);
  void FoundNothing(const std::string& key, std::uint64_t floor);

  std::uint64_t judged() const;
  std::uint64_t violations() const;
  std::vector<std::string> complaints() const;  // the first few

 private:
  struct Key {
    std::uint64_t known = 0;                        // highest version of what has ended
    std::map<std::uint64_t, std::uint64_t> values;  // of the last versions: hash of the value
  };
  void See(Key& key, const std::string& name, std::uint64_t version, std::string_view value);
  void Complain(const std::string& what);

  mutable std::mutex mutex_;
  std::map<std::string, Key> keys_;
  std::uint64_t judged_ = 0;
  std::uint64_t violations_ = 0;
  std::vector<std::string> complaints_;
};

}  // namespace decree::cli

// Rows as they will be after a batch that is still being built: later commands of a batch see what
// earlier ones did, and all of it reaches the engine as one atomic write.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kv/store/engine.h"

namespace decree::store {

class RowOverlay {
 public:
  explicit RowOverlay(const Engine& engine) : engine_(engine) {}

  Result<std::optional<std::string>> Get(const std::string& key) const;
  void Put(std::string key, std::string value);
  void Delete(std::string key);

  // Visits the rows whose key begins with `prefix`, in key order, until the visitor answers false.
  // The visitor must not change the overlay.
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;
  Status Visit(std::string_view prefix, const Visitor& visit) const;

  RowBatch Take();  // everything put and deleted, in key order; the overlay is empty afterwards

 private:
  using Changes = std::map<std::string, std::optional<std::string>, std::less<>>;

  const Engine& engine_;
  Changes changes_;
};

}  // namespace decree::store

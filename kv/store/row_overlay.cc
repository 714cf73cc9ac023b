#include "kv/store/row_overlay.h"

#include <utility>

namespace decree::store {

Result<std::optional<std::string>> RowOverlay::Get(const std::string& key) const {
  const auto changed = changes_.find(key);
  if (changed != changes_.end()) return changed->second;
  return engine_.Get(key);
}

void RowOverlay::Put(std::string key, std::string value) {
  changes_.insert_or_assign(std::move(key), std::move(value));
}

void RowOverlay::Delete(std::string key) {
  changes_.insert_or_assign(std::move(key), std::nullopt);
}

Status RowOverlay::Visit(std::string_view prefix, const Visitor& visit) const {
  const std::unique_ptr<RowView> view = engine_.View();
  const std::unique_ptr<RowCursor> stored = view->NewCursor();
  auto changed = changes_.lower_bound(prefix);
  for (stored->Seek(prefix);;) {
    const bool in_stored = stored->Valid() && stored->key().starts_with(prefix);
    const bool in_changed = changed != changes_.end() && changed->first.starts_with(prefix);
    if (!in_stored && !in_changed) return stored->status();
    // A change hides the stored row of the same key.
    const bool take_stored = in_stored && (!in_changed || stored->key() < changed->first);
    if (take_stored) {
      if (!visit(stored->key(), stored->value())) return {};
      stored->Next();
      continue;
    }
    if (in_stored && stored->key() == changed->first) stored->Next();
    if (changed->second && !visit(changed->first, *changed->second)) return {};
    ++changed;
  }
}

RowBatch RowOverlay::Take() {
  RowBatch batch;
  batch.reserve(changes_.size() + 1);
  while (!changes_.empty()) {
    auto node = changes_.extract(changes_.begin());
    batch.push_back({std::move(node.key()), std::move(node.mapped())});
  }
  return batch;
}

}  // namespace decree::store

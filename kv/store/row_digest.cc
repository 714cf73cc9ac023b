#include "kv/store/row_digest.h"

#define XXH_STATIC_LINKING_ONLY  // the state in place, without an allocation of its own
#include <xxhash.h>

#include <string_view>
#include <utility>

#include "kv/base/codec.h"

namespace decree::store {

struct RowDigest::State {
  XXH3_state_t hash;

  void Add(std::string_view bytes) {
    std::string size;
    Writer(size).Varint(bytes.size());
    XXH3_128bits_update(&hash, size.data(), size.size());
    XXH3_128bits_update(&hash, bytes.data(), bytes.size());
  }
};

RowDigest::RowDigest(std::shared_ptr<const RowView> view)
    : view_(std::move(view)), state_(std::make_unique<State>()) {
  XXH3_128bits_reset(&state_->hash);
}

RowDigest::~RowDigest() = default;

Result<bool> RowDigest::More(std::uint64_t bytes) {
  if (!view_) return false;
  if (!cursor_) {
    cursor_ = view_->NewCursor();
    cursor_->Seek("");
  }
  for (std::uint64_t read = 0; read < bytes && cursor_->Valid(); cursor_->Next()) {
    state_->Add(cursor_->key());
    state_->Add(cursor_->value());
    read += cursor_->key().size() + cursor_->value().size();
  }
  if (cursor_->Valid()) return true;
  const Status status = cursor_->status();
  cursor_.reset();  // which may free files: here, where the disk is waited for anyway
  view_.reset();
  if (!status) return status.error();
  return false;
}

std::string RowDigest::Hex() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state_->hash));
  static constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : canonical.digest) {
    hex.push_back(kHex[byte >> 4]);
    hex.push_back(kHex[byte & 15]);
  }
  return hex;
}

Result<std::string> DigestRows(const RowView& view) {
  RowDigest digest({std::shared_ptr<const RowView>(), &view});  // not owned
  const Result<bool> more = digest.More(UINT64_MAX);
  if (!more) return more.error();
  return digest.Hex();
}

}  // namespace decree::store

// The placement state as rows: each record a row of its own, so that a command writes what it
// changed.
//   pc                    cluster id, map version, settings, last move id
//   pn + node (4 bytes)   NodeRecord
//   ps + shard (4 bytes)  ShardRecord; the placement group's own under its shard number
//   pm + move (8 bytes)   MoveRecord
//   pa + number (8 bytes) StartMove of an approved plan
//   pd + slot (8 bytes), position (4 bytes)   DecreeRecord
#include "rebalance/refusal.h"

namespace decree::rebalance {
namespace {

struct Head {
  ClusterId cluster;
  std::uint64_t version = 0;
  Settings settings;
  MoveId last_move;
  DECREE_FIELDS(cluster, version, settings, last_move)
};

std::string BigEndian(std::uint64_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
  return out;
}

std::uint64_t FromBigEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = (value << 8) | static_cast<unsigned char>(c);
  return value;
}

template <class T>
bool DecodeInto(T& record, const std::string& value) {
  Result<T> decoded = Decode<T>(value);
  if (!decoded) return false;
  record = std::move(*decoded);
  return true;
}

template <class Map, class Key>
std::optional<std::string> EncodeFound(const Map& map, const Key& key) {
  const auto found = map.find(key);
  if (found == map.end()) return std::nullopt;
  return Encode(found->second);
}

}  // namespace

std::string HeadRowKey() { return "pc"; }
std::string RowKey(NodeId id) { return "pn" + BigEndian(id.value, 4); }
std::string RowKey(ShardId id) { return "ps" + BigEndian(id.value, 4); }
std::string RowKey(MoveId id) { return "pm" + BigEndian(id.value, 8); }
std::string RowKey(const DecreeKey& key) {
  return "pd" + BigEndian(key.first, 8) + BigEndian(key.second, 4);
}

void PlacementState::TouchHead() { changed_.insert(HeadRowKey()); }
void PlacementState::TouchNode(NodeId id) { changed_.insert(RowKey(id)); }
void PlacementState::TouchShard(ShardId id) { changed_.insert(RowKey(id)); }
void PlacementState::TouchMove(MoveId id) { changed_.insert(RowKey(id)); }
void PlacementState::TouchApproved(std::uint64_t number) {
  changed_.insert("pa" + BigEndian(number, 8));
}
void PlacementState::TouchMap(const Moment& now) {
  version_ = now.slot.value;
  TouchHead();
}

std::optional<std::string> PlacementState::EncodeRow(const std::string& key) const {
  const std::string_view id = std::string_view(key).substr(2);
  switch (key[1]) {
    case 'c':
      return Encode(Head{cluster_, version_, settings_, last_move_});
    case 'n':
      return EncodeFound(nodes_, NodeId{static_cast<std::uint32_t>(FromBigEndian(id))});
    case 's': {
      const ShardRecord* shard = Shard(ShardId{static_cast<std::uint32_t>(FromBigEndian(id))});
      return shard ? std::optional(Encode(*shard)) : std::nullopt;
    }
    case 'm':
      return EncodeFound(moves_, MoveId{FromBigEndian(id)});
    case 'a':
      return EncodeFound(approved_, FromBigEndian(id));
    default:
      return EncodeFound(decrees_,
                         DecreeKey{FromBigEndian(id.substr(0, 8)),
                                   static_cast<std::uint32_t>(FromBigEndian(id.substr(8)))});
  }
}

std::vector<std::pair<std::string, std::optional<std::string>>> PlacementState::TakeChangedRows() {
  std::vector<std::pair<std::string, std::optional<std::string>>> rows;
  for (const std::string& key : changed_) rows.emplace_back(key, EncodeRow(key));
  changed_.clear();
  return rows;
}

bool PlacementState::DecodeRow(const std::string& key, const std::string& value) {
  if (key == HeadRowKey()) {
    Head head;
    if (!DecodeInto(head, value)) return false;
    cluster_ = head.cluster;
    version_ = head.version;
    settings_ = head.settings;
    last_move_ = head.last_move;
    return true;
  }
  if (key.size() < 6 || key[0] != 'p') return false;
  const std::string_view id = std::string_view(key).substr(2);
  const auto small = static_cast<std::uint32_t>(FromBigEndian(id.substr(0, 4)));
  if (key[1] == 'n' && id.size() == 4) return DecodeInto(nodes_[NodeId{small}], value);
  if (key[1] == 'm' && id.size() == 8) {
    return DecodeInto(moves_[MoveId{FromBigEndian(id)}], value);
  }
  if (key[1] == 'a' && id.size() == 8) return DecodeInto(approved_[FromBigEndian(id)], value);
  if (key[1] == 'd' && id.size() == 12) {
    const auto position = static_cast<std::uint32_t>(FromBigEndian(id.substr(8)));
    return DecodeInto(decrees_[{FromBigEndian(id.substr(0, 8)), position}], value);
  }
  if (key[1] != 's' || id.size() != 4) return false;
  if (ShardId{small} == kPlacementShard) return DecodeInto(placement_, value);
  // Rows come in key order, so shard numbers come without gaps.
  if (small != shards_.size()) return false;
  return DecodeInto(shards_.emplace_back(), value);
}

bool PlacementState::Settle() {
  for (const auto& [id, move] : moves_) {
    if (!IsFinal(move.stage)) active_.insert(id);
  }
  const bool rows_of_a_cluster = !nodes_.empty() && !shards_.empty() && placement_.entry.epoch;
  const bool no_rows_of_one = nodes_.empty() && shards_.empty() && moves_.empty();
  return bootstrapped() ? rows_of_a_cluster : no_rows_of_one;
}

Result<PlacementState> PlacementState::FromRows(
    const std::vector<std::pair<std::string, std::string>>& rows) {
  PlacementState state;
  for (const auto& [key, value] : rows) {
    if (!state.DecodeRow(key, value)) {
      return Error(Errc::kCorruption,
                   "a placement row of kind '" + key.substr(0, 2) + "' does not decode");
    }
  }
  if (!state.Settle()) return Error(Errc::kCorruption, "placement rows are missing");
  return state;
}

}  // namespace decree::rebalance

#include "kv/store/kv_rows.h"

namespace decree::store {
namespace {

constexpr std::size_t kWord = 8;

void AppendBig(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

std::uint64_t LoadBig(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kWord; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

Error Malformed(const char* what) {
  return Error(Errc::kCorruption, std::string("malformed row: ") + what);
}

}  // namespace

std::string DataKey(std::string_view key) {
  std::string row;
  row.reserve(1 + key.size());
  row.push_back('d');
  row.append(key);
  return row;
}

std::string DataValue(const DataRow& row) {
  std::string bytes;
  bytes.reserve(row.value.size() + 24);
  bytes.push_back(kRowFormat);
  Writer writer(bytes);
  writer.Varint(row.version);
  writer.Varint(row.expires_at_ms);
  writer.Raw(row.value);
  return bytes;
}

Result<DataRow> ParseDataValue(std::string_view bytes) {
  if (bytes.empty() || bytes.front() != kRowFormat) return Malformed("data format");
  Reader reader(bytes.substr(1));
  DataRow row;
  row.version = reader.Varint();
  row.expires_at_ms = reader.Varint();
  if (!reader.ok()) return Malformed("data");
  row.value = reader.Raw(reader.left());
  return row;
}

std::string ExpiryKey(WallMs expires_at_ms, std::string_view key) {
  std::string row;
  row.reserve(1 + kWord + key.size());
  row.push_back('e');
  AppendBig(row, expires_at_ms);
  row.append(key);
  return row;
}

std::string ExpiryValue(std::uint64_t value_bytes) {
  std::string bytes;
  Writer(bytes).Varint(value_bytes);
  return bytes;
}

Result<ExpiryRow> ParseExpiryRow(std::string_view row_key, std::string_view row_value) {
  if (row_key.size() < 1 + kWord) return Malformed("expiry key");
  Reader reader(row_value);
  ExpiryRow row{LoadBig(row_key.substr(1)), row_key.substr(1 + kWord), reader.Varint()};
  if (!reader.done()) return Malformed("expiry");
  return row;
}

std::string SessionKey(std::uint64_t client) {
  std::string row("s");
  AppendBig(row, client);
  return row;
}

Result<std::uint64_t> ParseSessionKey(std::string_view row_key) {
  if (row_key.size() != 1 + kWord) return Malformed("session key");
  return LoadBig(row_key.substr(1));
}

std::string ResultKey(std::uint64_t client, std::uint64_t sequence) {
  std::string row;
  row.reserve(1 + 2 * kWord);
  row.push_back('r');
  AppendBig(row, client);
  AppendBig(row, sequence);
  return row;
}

Result<std::pair<std::uint64_t, std::uint64_t>> ParseResultKey(std::string_view row_key) {
  if (row_key.size() != 1 + 2 * kWord) return Malformed("result key");
  return std::pair(LoadBig(row_key.substr(1)), LoadBig(row_key.substr(1 + kWord)));
}

}  // namespace decree::store

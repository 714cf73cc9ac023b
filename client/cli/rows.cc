#include "client/cli/rows.h"

#include <istream>

#include "client/cli/output.h"
#include "kv/base/base64.h"
#include "kv/base/utf8.h"

namespace decree::cli {
namespace {

Error Bad(std::string what) { return Error(Errc::kInvalidArgument, std::move(what)); }

Result<std::string> TextOf(const json::value& object, const char* name, bool base64) {
  const json::string* text = At(object, name).if_string();
  if (!text) return Bad(std::string("no text field \"") + name + "\"");
  if (!base64) return std::string(*text);
  auto bytes = FromBase64(*text);
  if (!bytes) return Bad(std::string("\"") + name + "\" is not base64");
  return std::move(*bytes);
}

Result<std::string> Unescape(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    const char next = i + 1 < text.size() ? text[++i] : '\0';
    constexpr std::string_view kNames = "tnr\\";
    constexpr std::string_view kBytes = "\t\n\r\\";
    const auto at = kNames.find(next);
    if (next == '\0' || at == std::string_view::npos) {
      return Bad("a backslash is followed by t, n, r or another one");
    }
    bytes += kBytes[at];
  }
  return bytes;
}

// A key of TSV may start with a brace too (a hash tag), so a brace tells nothing while there is a
// tab, which is no part of JSON's strings.
RecordFormat FormatOf(const std::string& line) {
  if (line.front() != '{') return RecordFormat::kTsv;
  if (line.find('\t') == std::string::npos) return RecordFormat::kJsonLines;
  boost::system::error_code bad;
  json::parse(line, bad);
  return bad ? RecordFormat::kTsv : RecordFormat::kJsonLines;
}

}  // namespace

std::string EscapeTsv(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    if (c == '\t') {
      text += "\\t";
    } else if (c == '\n') {
      text += "\\n";
    } else if (c == '\r') {
      text += "\\r";
    } else if (c == '\\') {
      text += "\\\\";
    } else {
      text += c;
    }
  }
  return text;
}

json::object KeyValueJson(const std::string& key, const std::string& value,
                          const std::string& suffix) {
  json::object object;
  const auto add = [&](const std::string& name, const std::string& bytes) {
    if (IsUtf8(bytes)) {
      object[name] = bytes;
    } else {
      object[name + suffix] = ToBase64(bytes);
    }
  };
  add("key", key);
  add("value", value);
  return object;
}

Result<Record> ParseJsonLine(const std::string& line) {
  boost::system::error_code bad;
  const json::value object = json::parse(line, bad);
  if (bad) return Bad("not JSON: " + bad.message());
  const json::value& enc = At(object, "enc");
  const json::string* name = enc.if_string();
  if (!enc.is_null() && (!name || *name != "base64")) return Bad("\"enc\" can only be \"base64\"");
  auto key = TextOf(object, "key", name != nullptr);
  if (!key) return key.error();
  auto value = TextOf(object, "value", name != nullptr);
  if (!value) return value.error();
  return Record{std::move(*key), std::move(*value)};
}

Result<Record> ParseTsvLine(const std::string& line) {
  const auto tab = line.find('\t');
  if (tab == std::string::npos) return Bad("no tab between key and value");
  auto key = Unescape(std::string_view(line).substr(0, tab));
  if (!key) return key.error();
  auto value = Unescape(std::string_view(line).substr(tab + 1));
  if (!value) return value.error();
  return Record{std::move(*key), std::move(*value)};
}

std::string ToLine(RecordFormat format, const Record& record) {
  if (format == RecordFormat::kTsv) return EscapeTsv(record.key) + "\t" + EscapeTsv(record.value);
  json::object object;
  const bool text = IsUtf8(record.key) && IsUtf8(record.value);
  object["key"] = text ? record.key : ToBase64(record.key);
  object["value"] = text ? record.value : ToBase64(record.value);
  if (!text) object["enc"] = "base64";
  return json::serialize(object);
}

std::optional<Result<Record>> RecordReader::Next() {
  std::string line;
  while (std::getline(in_, line)) {
    ++line_;
    bytes_ += line.size() + 1;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    if (!format_) format_ = FormatOf(line);
    return *format_ == RecordFormat::kJsonLines ? ParseJsonLine(line) : ParseTsvLine(line);
  }
  return std::nullopt;
}

}  // namespace decree::cli

// What the demo works on: the user's records, or the machine's own package index.
#include <stdio.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "client/cli/demo.h"

namespace decree::cli {
namespace {

using Unique = std::map<std::string, std::string>;

// Later lines win, as they do in the store.
Status ReadFile(const std::string& path, Unique& records) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) return Error(Errc::kIo, "cannot read " + path);
  RecordReader reader(file);
  while (auto record = reader.Next()) {
    if (!*record) {
      return Error(record->error().code(), path + ", line " + std::to_string(reader.line()) + ": " +
                                               record->error().detail());
    }
    records[(*record)->key] = std::move((*record)->value);
  }
  return {};
}

std::string ReadAll(const char* command) {
  std::string text;
  FILE* const pipe = popen(command, "r");
  if (pipe == nullptr) return text;
  char chunk[65536];
  for (std::size_t size = 0; (size = fread(chunk, 1, sizeof chunk, pipe)) > 0;) {
    text.append(chunk, size);
  }
  pclose(pipe);
  return text;
}

std::string FieldOf(const std::string& stanza, const std::string& name) {
  const auto at = stanza.starts_with(name) ? 0 : stanza.find("\n" + name);
  if (at == std::string::npos) return {};
  const auto begin = stanza.find_first_not_of(' ', stanza.find(':', at) + 1);
  return stanza.substr(begin, stanza.find('\n', begin) - begin);
}

// One stanza a package version; key = name and version, value = the stanza.
void ReadPackageIndex(Unique& records) {
  const std::string text = ReadAll("apt-cache dumpavail 2>/dev/null");
  std::size_t begin = 0;
  while (begin < text.size()) {
    const auto end = std::min(text.find("\n\n", begin), text.size());
    const std::string stanza = text.substr(begin, end - begin);
    begin = end + 2;
    const std::string name = FieldOf(stanza, "Package:");
    const std::string version = FieldOf(stanza, "Version:");
    if (!name.empty() && !version.empty()) records[name + " " + version] = stanza;
  }
}

}  // namespace

Status Demo::ReadInput() {
  Unique unique;
  input_name_ = args_.input.empty() ? "this machine's package index" : args_.input;
  if (args_.input.empty()) {
    ReadPackageIndex(unique);
  } else if (auto ok = ReadFile(args_.input, unique); !ok) {
    return ok;
  }
  if (unique.empty()) {
    return Error(Errc::kInvalidArgument, "no record in " + input_name_ + ": give --input FILE");
  }
  for (auto& [key, value] : unique) {
    report_.megabytes += static_cast<double>(key.size() + value.size()) / 1e6;
    records_.push_back({key, std::move(value)});
  }
  report_.records = records_.size();
  return {};
}

}  // namespace decree::cli

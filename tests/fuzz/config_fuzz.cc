// What a person writes to start things: decreed's flags, environment and TOML file, and a client's
// URI. Each is taken or refused with words, and what --print-config prints is a file that comes to
// the same settings.
#include <fstream>
#include <map>
#include <sstream>

#include "decree/client.h"
#include "kv/base/utf8.h"
#include "server/config.h"
#include "server/settings.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/store/temp_dir.h"

namespace decree::fuzz {
namespace {

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The only files that are read or written here.
class Place {
 public:
  std::string Write(const std::string& name, std::string_view text) const {
    std::ofstream(dir_.Sub(name), std::ios::binary) << text;
    return dir_.Sub(name);
  }

 private:
  store::TempDir dir_;
};

ConfigOutcome Load(const std::vector<std::string>& arguments,
                   const std::map<std::string, std::string>& variables) {
  ConfigOutcome outcome = LoadConfig(arguments, [&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
  if (outcome.run) {
    DECREE_CHECK(!outcome.config.server.dirs.empty());
  } else {
    DECREE_CHECK(outcome.exit_code == 0 || outcome.exit_code == 2);
    DECREE_CHECK(!outcome.text.empty());
  }
  return outcome;
}

// Without the sources, which stand behind two spaces and a hash at the end of a line.
std::string ValuesOf(const std::string& printed) {
  std::string values;
  for (const std::string& line : Lines(printed))
    values += line.substr(0, line.rfind("  # ")) + "\n";
  return values;
}

// Prints once by flags, environment and file, then once more from what was printed alone.
void CheckPrinted(const Place& place, std::vector<std::string> arguments,
                  const std::map<std::string, std::string>& variables) {
  arguments.emplace_back("--print-config");
  const ConfigOutcome first = Load(arguments, variables);
  if (!IsUtf8(first.text)) return;  // TOML cannot say it
  if (first.exit_code != 0 || !first.text.starts_with(AllSettings().front().name)) return;
  const std::string file = place.Write("printed.toml", first.text);
  const ConfigOutcome second = Load({"--config", file, "--print-config"}, {});
  DECREE_CHECK_MSG(second.exit_code == 0, second.text);
  DECREE_CHECK_MSG(ValuesOf(second.text) == ValuesOf(first.text), second.text + first.text);
}

void CheckUri(std::string_view uri) {
  const Result<ClientOptions> options = ParseClientUri(uri);
  if (!options) DECREE_CHECK(!options.error().detail().empty());
  if (options) DECREE_CHECK(!options->endpoints.empty());
}

void Run(std::string_view input) {
  Pieces pieces(input);
  if (pieces.Byte() == 0) return CheckUri(pieces.Rest());
  const Place place;
  std::vector<std::string> arguments;
  for (const std::string& line : Lines(pieces.Piece())) {
    if (line.find("--conf") == std::string::npos) arguments.push_back(line);
  }
  std::map<std::string, std::string> variables;
  for (const std::string& line : Lines(pieces.Piece())) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) variables[line.substr(0, equals)] = line.substr(equals + 1);
  }
  variables["DECREE_CONFIG"] = place.Write("file.toml", pieces.Rest());
  if (Load(arguments, variables).run) CheckPrinted(place, arguments, variables);
}

std::vector<std::string> Seeds() {
  const auto input = [](std::string_view arguments, std::string_view variables,
                        std::string_view file) {
    return Number(1, 1) + Piece(arguments) + Piece(variables) + std::string(file);
  };
  return {input("--data\na\n--data\nb\n--listen\n127.0.0.1:0\n--shards=8", "", ""),
          input("", "DECREE_DATA=a,b\nDECREE_ZONE=z\nDECREE_JOIN=h:1,h:2", ""),
          input("", "", "data = [\"a\", \"b\"]\nlisten = \"127.0.0.1:1\"\ninsecure = true\n"),
          input("--insecure", "DECREE_NAME=n\nDECREE_LOG_LEVEL=debug",
                "data = \"a\"\nshards = 32\nreplicas = 1\njoin = \"h:1, h:2\"\n"),
          Number(0, 1) + "decree://host,host:1,[::1]:2/?timeout=500ms"};
}

const Registration kConfig{{"config", Run, Seeds}};

}  // namespace
}  // namespace decree::fuzz

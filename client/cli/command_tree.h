// The commands and options of the command line as plain data, for completion scripts and the
// manual: read from the parser itself, so that neither can differ from what it takes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace decree::cli {

struct OptionWords {
  std::vector<std::string> names;    // "-o", "--output"; of an argument: its one name, "KEY"
  std::string value;                 // what it takes, "TEXT"; empty: nothing, it is a flag
  std::vector<std::string> choices;  // all that it takes; empty: anything
  std::string about;
  std::string fallback;     // its default; empty: none
  std::string environment;  // the variable that it is read from; empty: none
  bool required = false;
};

struct CommandWords {
  std::string path;  // "decree move start"
  std::string name;  // "start"
  std::string about;
  std::vector<OptionWords> arguments;
  std::vector<OptionWords> options;
  std::vector<CommandWords> commands;
};

std::string Joined(const std::vector<std::string>& words, const char* between);

// Without what is hidden, in the order of --help.
CommandWords WordsOf(const CLI::App& app);

}  // namespace decree::cli

#include "client/cli/command_tree.h"

#include <algorithm>

namespace decree::cli {
namespace {

// "TEXT:{table,json,plain}": the parser keeps them in no other form.
void SplitType(const std::string& type, OptionWords* words) {
  const std::size_t open = type.find('{');
  words->value = type.substr(0, type.find_first_of(":{"));
  if (open == std::string::npos) return;
  const std::string list = type.substr(open + 1, type.find('}') - open - 1);
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    words->choices.push_back(list.substr(at, comma - at));
    at = comma + 1;
  }
}

OptionWords WordsOf(const CLI::Option& option) {
  OptionWords words;
  if (option.get_positional()) {
    words.names = {option.get_name(true)};
  } else {
    for (const std::string& name : option.get_snames()) words.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) words.names.push_back("--" + name);
  }
  if (option.get_type_size() > 0) SplitType(option.get_type_name(), &words);
  words.about = option.get_description();
  words.fallback = option.get_default_str();
  words.environment = option.get_envname();
  words.required = option.get_required();
  return words;
}

CommandWords WordsUnder(const CLI::App& app, const std::string& parent) {
  CommandWords words;
  words.name = app.get_name();
  words.path = (parent.empty() ? "" : parent + " ") + words.name;
  words.about = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    (option->get_positional() ? words.arguments : words.options).push_back(WordsOf(*option));
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) words.commands.push_back(WordsUnder(*command, words.path));
  }
  return words;
}

}  // namespace

std::string Joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

CommandWords WordsOf(const CLI::App& app) { return WordsUnder(app, ""); }

}  // namespace decree::cli

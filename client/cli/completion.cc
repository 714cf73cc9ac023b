#include "client/cli/completion.h"

#include <functional>

#include "client/cli/context.h"

namespace decree::cli {
namespace {

void ForEach(const CommandWords& command, const std::function<void(const CommandWords&)>& visit) {
  visit(command);
  for (const CommandWords& below : command.commands) ForEach(below, visit);
}

// Everything between single quotes is itself, but a single quote.
std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// Which command the words so far lead to: `at` goes down the tree, other words change nothing.
std::string PathCases(const CommandWords& program) {
  std::string cases;
  ForEach(program, [&](const CommandWords& command) {
    for (const CommandWords& below : command.commands) {
      cases += "      " + Quoted(below.path) + ") at=" + Quoted(below.path) + " ;;\n";
    }
  });
  return cases;
}

// What may follow an option that takes one of some words. Global options stand in every command.
std::string ChoiceCases(const CommandWords& program) {
  std::string cases;
  const auto add = [&](const std::string& path, const OptionWords& option) {
    if (option.choices.empty()) return;
    for (const std::string& name : option.names) {
      const std::string pattern =
          path.empty() ? "*" + Quoted(" " + name) : Quoted(path + " " + name);
      cases += "    " + pattern + ") choices=" + Quoted(Joined(option.choices, " ")) + " ;;\n";
    }
  };
  ForEach(program, [&](const CommandWords& command) {
    const bool global = command.path == program.path;
    for (const OptionWords& option : command.options) add(global ? "" : command.path, option);
  });
  return cases;
}

std::vector<std::string> Candidates(const CommandWords& command) {
  std::vector<std::string> words;
  for (const CommandWords& below : command.commands) words.push_back(below.name);
  for (const OptionWords& argument : command.arguments) {
    words.insert(words.end(), argument.choices.begin(), argument.choices.end());
  }
  for (const OptionWords& option : command.options) {
    words.insert(words.end(), option.names.begin(), option.names.end());
  }
  return words;
}

// "name:what it is", as _describe wants it.
std::string Described(const std::string& word, const std::string& about) {
  std::string text;
  for (const char c : word) text += c == ':' ? std::string("\\:") : std::string(1, c);
  return Quoted(text + ":" + about.substr(0, about.find('\n')));
}

std::string DescribedCandidates(const CommandWords& command) {
  std::string text;
  for (const CommandWords& below : command.commands) {
    text += "        " + Described(below.name, below.about) + "\n";
  }
  for (const OptionWords& argument : command.arguments) {
    for (const std::string& choice : argument.choices) {
      text += "        " + Described(choice, argument.about) + "\n";
    }
  }
  for (const OptionWords& option : command.options) {
    for (const std::string& name : option.names) {
      text += "        " + Described(name, option.about) + "\n";
    }
  }
  return text;
}

}  // namespace

std::string BashCompletion(const CommandWords& program) {
  std::string cases;
  ForEach(program, [&](const CommandWords& command) {
    cases += "    " + Quoted(command.path) +
             ") choices=" + Quoted(Joined(Candidates(command), " ")) + " ;;\n";
  });
  return "# Completion of decree for bash, made by: decree completion bash\n"
         "_decree() {\n"
         "  local at=" +
         Quoted(program.path) +
         " choices='' i\n"
         "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
         "    case \"$at ${COMP_WORDS[i]}\" in\n" +
         PathCases(program) +
         "    esac\n"
         "  done\n"
         "  case \"$at ${COMP_WORDS[COMP_CWORD - 1]}\" in\n" +
         ChoiceCases(program) +
         "  esac\n"
         "  [[ -n $choices ]] || case \"$at\" in\n" +
         cases +
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
         "}\n"
         "complete -o default -F _decree decree\n";
}

std::string ZshCompletion(const CommandWords& program) {
  std::string cases;
  ForEach(program, [&](const CommandWords& command) {
    cases += "      (" + Quoted(command.path) + ") candidates=(\n" + DescribedCandidates(command) +
             "      ) ;;\n";
  });
  return "#compdef decree\n"
         "# Completion of decree for zsh, made by: decree completion zsh\n"
         "_decree() {\n"
         "  local at=" +
         Quoted(program.path) +
         " choices='' word\n"
         "  local -a candidates\n"
         "  for word in \"${words[@]:1:$((CURRENT - 2))}\"; do\n"
         "    case \"$at $word\" in\n" +
         PathCases(program) +
         "    esac\n"
         "  done\n"
         "  case \"$at ${words[CURRENT - 1]}\" in\n" +
         ChoiceCases(program) +
         "  esac\n"
         "  if [[ -n $choices ]]; then\n"
         "    candidates=(${=choices})\n"
         "  else\n"
         "    case \"$at\" in\n" +
         cases +
         "    esac\n"
         "  fi\n"
         "  _describe -t commands decree candidates || _files\n"
         "}\n"
         "# Autoloaded it is called at once; sourced it is made known.\n"
         "if [[ $funcstack[1] == _decree ]]; then _decree \"$@\"; else compdef _decree decree; "
         "fi\n";
}

void AddCompletionCommand(CLI::App& app, Context& context) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand(
      "completion",
      "print a script that completes commands and options: source <(decree completion bash)");
  command->add_option("SHELL", *shell, "which shell it is for")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  command->callback([&app, &context, shell] {
    context.run = [&app, shell](Context& c) {
      const CommandWords program = WordsOf(app);
      c.out << (*shell == "bash" ? BashCompletion(program) : ZshCompletion(program));
      return static_cast<int>(kExitOk);
    };
  });
}

}  // namespace decree::cli

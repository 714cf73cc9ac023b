// The manual page decree(1): made from the parser's own tree, so that it tells what there is.
#include "client/cli/manual.h"

#include "client/cli/context.h"

namespace decree::cli {
namespace {

// Text for troff: nothing in it is a request or an escape, and hyphens stay what can be typed.
std::string Plain(const std::string& text) {
  std::string out;
  bool begins = true;
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out.push_back(c);
    }
    begins = c == '\n';
  }
  return out;
}

std::string Bold(const std::string& text) { return "\\fB" + Plain(text) + "\\fR"; }
std::string Italic(const std::string& text) { return "\\fI" + Plain(text) + "\\fR"; }

std::string Item(const std::string& tag, const std::string& text) {
  return ".TP\n" + tag + "\n" + Plain(text) + "\n";
}

std::string TagOf(const OptionWords& option) {
  std::string tag;
  for (const std::string& name : option.names) tag += (tag.empty() ? "" : ", ") + Bold(name);
  if (option.value.empty()) return tag;
  return tag + " " + Italic(option.choices.empty() ? option.value : Joined(option.choices, "|"));
}

std::string TextOf(const OptionWords& option) {
  std::string text = option.about;
  if (!option.fallback.empty()) text += " [" + option.fallback + "]";
  if (!option.environment.empty()) text += "; also from the environment: " + option.environment;
  return text.empty() ? "." : text;
}

std::string Options(const CommandWords& command) {
  std::string page;
  for (const OptionWords& option : command.options) page += Item(TagOf(option), TextOf(option));
  return page;
}

// One that runs by itself: "put KEY VALUE [options]", what it does, what it takes.
std::string Section(const CommandWords& command) {
  std::string page = ".SS " + Plain(command.path.substr(command.path.find(' ') + 1));
  for (const OptionWords& argument : command.arguments) {
    page += " " + (argument.required ? argument.names[0] : "[" + argument.names[0] + "]");
  }
  page += "\n" + Plain(command.about) + "\n";
  for (const OptionWords& argument : command.arguments) {
    if (!argument.about.empty()) page += Item(Italic(argument.names[0]), TextOf(argument));
  }
  for (const OptionWords& option : command.options) {
    if (option.names.back() != "--help") page += Item(TagOf(option), TextOf(option));
  }
  return page;
}

std::string Sections(const CommandWords& command) {
  if (command.commands.empty()) return Section(command);
  std::string page;
  for (const CommandWords& below : command.commands) page += Sections(below);
  return page;
}

constexpr const char* kExits =
    ".SH EXIT STATUS\n"
    ".TP\n\\fB0\\fR\nit is done\n"
    ".TP\n\\fB1\\fR\nan error, or a difference that was looked for\n"
    ".TP\n\\fB2\\fR\nthe command line makes no sense\n"
    ".TP\n\\fB3\\fR\nnot found\n"
    ".TP\n\\fB4\\fR\na condition does not hold\n"
    ".TP\n\\fB5\\fR\nnobody can be reached, or there is no quorum; nothing was done\n"
    ".TP\n\\fB6\\fR\ntimed out: it may have been done\n"
    ".TP\n\\fB130\\fR\ninterrupted\n";

constexpr const char* kExamples =
    ".SH EXAMPLES\n"
    ".EX\n"
    "decree put fruit/1 apple --ttl 30s\n"
    "decree scan --prefix fruit/\n"
    "decree move start 7 --from 1 --to 4\n"
    "decree move show 12 --watch\n"
    "decree plan --explain\n"
    "decree -o json status\n"
    ".EE\n"
    ".SH SEE ALSO\n"
    ".BR decreed (8)\n";

}  // namespace

std::string ManualPage(const CommandWords& program) {
  std::string page = ".TH DECREE 1 \"\" \"Decree " DECREE_VERSION
                     "\" \"User Commands\"\n"
                     ".SH NAME\n"
                     "decree \\- command line of the Decree key\\-value store\n"
                     ".SH SYNOPSIS\n"
                     ".B decree\n[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]\n"
                     ".SH DESCRIPTION\n" +
                     Plain(program.about) +
                     ".\nThis is its command line: data, cluster, moves, measurements. It talks to "
                     "any nodes of a cluster,\nwhich\n.BR decreed (8)\nruns. Tables on a terminal, "
                     "JSON on request; errors go to standard error and say what to try next.\n"
                     ".SH OPTIONS\nThey may stand before the command or after it.\n";
  page += Options(program) + ".SH COMMANDS\n";
  for (const CommandWords& command : program.commands) page += Sections(command);
  return page + kExits + kExamples;
}

void AddManualCommand(CLI::App& app, Context& context) {
  app.add_subcommand("man", "print the manual page: decree man | man -l -")
      ->callback([&app, &context] {
        context.run = [&app](Context& c) {
          c.out << ManualPage(WordsOf(app));
          return static_cast<int>(kExitOk);
        };
      });
}

}  // namespace decree::cli

// Completion scripts and the manual tell what the parser takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "client/cli/command_tree.h"
#include "client/cli/completion.h"
#include "client/cli/context.h"
#include "client/cli/manual.h"
#include "client/cli/temp_dir.h"

namespace decree::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string PrintedBy(std::vector<std::string> arguments) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Context context(in, out, err);
  EXPECT_EQ(RunCli(arguments, context), kExitOk) << err.str();
  return out.str();
}

// What bash would offer for the last of these words.
std::vector<std::string> Completed(const std::string& words) {
  const Result<TempDir> dir = TempDir::Make("decree-words-test");
  const std::string script = dir->path() + "/completion";
  std::ofstream(script) << PrintedBy({"completion", "bash"}) << "COMP_WORDS=(" << words
                        << "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                        << "_decree; printf '%s\\n' \"${COMPREPLY[@]}\"\n";
  std::FILE* bash = popen(("bash " + script + " 2>&1").c_str(), "r");
  std::string text;
  for (int c = std::fgetc(bash); c != EOF; c = std::fgetc(bash)) {
    text.push_back(static_cast<char>(c));
  }
  EXPECT_EQ(pclose(bash), 0) << text;
  std::vector<std::string> lines;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);) lines.push_back(line);
  return lines;
}

CLI::App& Sample(CLI::App& app, std::string* text) {
  app.add_option("--color", *text, "of it")->check(CLI::IsMember({"red", "blue"}));
  CLI::App* paint = app.add_subcommand("paint", "puts it's color on");
  paint->add_option("WALL", *text, "which one")->required();
  paint->add_flag("-2,--twice")->description("two coats");
  app.add_subcommand("secret", "nobody's business")->group("");
  return app;
}

TEST(CommandTreeTest, HoldsWhatHelpShowsAndNothingHidden) {
  CLI::App app("paints", "painter");
  std::string text;
  const CommandWords words = WordsOf(Sample(app, &text));
  ASSERT_EQ(words.commands.size(), 1u);
  const CommandWords& paint = words.commands[0];
  EXPECT_EQ(paint.path, "painter paint");
  ASSERT_EQ(paint.arguments.size(), 1u);
  EXPECT_THAT(paint.arguments[0].names, ElementsAre("WALL"));
  EXPECT_TRUE(paint.arguments[0].required);
  EXPECT_THAT(paint.options.back().names, ElementsAre("-2", "--twice"));
  EXPECT_EQ(paint.options.back().value, "");
  EXPECT_THAT(words.options.back().choices, testing::UnorderedElementsAre("red", "blue"));
}

TEST(CompletionTest, OffersCommandsOptionsAndChoices) {
  EXPECT_THAT(Completed("decree mo"), ElementsAre("move"));
  EXPECT_THAT(Completed("decree move sta"), ElementsAre("start"));
  EXPECT_THAT(Completed("decree move start 7 --fr"), ElementsAre("--from"));
  EXPECT_THAT(Completed("decree -o js"), ElementsAre("json"));
  EXPECT_THAT(Completed("decree status --output pl"), ElementsAre("plain"));
  EXPECT_THAT(Completed("decree completion z"), ElementsAre("zsh"));
}

TEST(CompletionTest, QuotesMeanNothingToTheShell) {
  CLI::App app("paints", "painter");
  std::string text;
  const CommandWords words = WordsOf(Sample(app, &text));
  EXPECT_THAT(ZshCompletion(words), HasSubstr("'paint:puts it'\\''s color on'"));
  EXPECT_THAT(ZshCompletion(words), Not(HasSubstr("secret")));
}

TEST(ManualTest, NamesEveryCommandAndOption) {
  const std::string page = PrintedBy({"man"});
  for (const char* part :
       {".TH DECREE 1", ".SS put KEY VALUE", ".SS move start SHARD", "\\fB\\-\\-if\\-version\\fR",
        "\\fItable|json|plain\\fR", ".SH EXIT STATUS", "DECREE_ENDPOINTS", ".BR decreed (8)"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
}

TEST(ManualTest, TextIsNoRequest) {
  CLI::App app(".pa 2\n'br", "painter");
  const std::string page = ManualPage(WordsOf(app));
  EXPECT_THAT(page, HasSubstr("\\&.pa 2\n\\&'br"));
}

}  // namespace
}  // namespace decree::cli

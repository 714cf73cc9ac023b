// All targets, a short way: their seeds, the inputs kept in corpus/, and mutations of both.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "kv/base/random.h"
#include "tests/base/scale.h"
#include "tests/fuzz/fuzz_target.h"

namespace decree::fuzz {
namespace {

// Inputs that found a fault once, and others worth keeping.
std::vector<std::string> Kept(const Target& target) {
  std::vector<std::filesystem::path> files;
  const auto directory = std::filesystem::path(DECREE_FUZZ_CORPUS) / target.name;
  if (std::filesystem::exists(directory)) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> inputs;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return inputs;
}

// Flips, cuts, repeats or inserts, as damaged memory and hostile peers do.
std::string Mutated(std::string input, Random& random) {
  for (std::uint64_t changes = random.Between(1, 4); changes > 0 && !input.empty(); --changes) {
    const std::size_t at = random.Below(input.size());
    switch (random.Below(4)) {
      case 0:
        input[at] = static_cast<char>(random.Next());
        break;
      case 1:
        input.resize(at);
        break;
      case 2:
        input.insert(at, input.substr(at / 2, random.Below(16)));
        break;
      default:
        input.insert(at, std::string(random.Between(1, 9), '\xff'));
        break;
    }
  }
  return input;
}

// In a form to paste into a test.
std::string Printable(std::string_view input) {
  std::string text;
  char hex[5];
  for (const char c : input) {
    const bool plain = c >= ' ' && c <= '~' && c != '"' && c != '\\';
    std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned char>(c));
    text += plain ? std::string(1, c) : hex;
  }
  return text;
}

class FuzzTest : public testing::TestWithParam<Target> {
 protected:
  static void Run(const std::string& input, const std::string& what) {
    EXPECT_NO_THROW(GetParam().run(input)) << what << ": " << Printable(input);
  }
  static std::vector<std::string> Inputs() {
    std::vector<std::string> inputs = GetParam().seeds();
    for (std::string& kept : Kept(GetParam())) inputs.push_back(std::move(kept));
    return inputs;
  }
};

TEST_P(FuzzTest, SeedsAndKeptInputsPass) {
  const std::vector<std::string> inputs = Inputs();
  ASSERT_FALSE(inputs.empty());
  for (const std::string& input : inputs) Run(input, "kept");
}

TEST_P(FuzzTest, SeedsGetThroughTheFrontDoor) {
  if (GetParam().check_seed == nullptr) return;
  for (const std::string& seed : GetParam().seeds()) {
    EXPECT_NO_THROW(GetParam().check_seed(seed)) << Printable(seed);
  }
}

TEST_P(FuzzTest, MutatedInputsPass) {
  const std::vector<std::string> inputs = Inputs();
  const std::uint64_t count = test::Scaled(2'000);
  for (std::uint64_t seed = 1; seed <= count && !HasFailure(); ++seed) {
    Random random(seed);
    Run(Mutated(inputs[seed % inputs.size()], random), "seed " + std::to_string(seed));
  }
}

INSTANTIATE_TEST_SUITE_P(All, FuzzTest, testing::ValuesIn(Targets()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace decree::fuzz

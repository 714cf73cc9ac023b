// What libFuzzer calls, in a program that holds one target. With DIRECTORY in the environment as
// DECREE_FUZZ_SEEDS it writes the target's seeds there first, for the fuzzer to start from.
#include <cstdint>
#include <cstdlib>
#include <fstream>

#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const decree::fuzz::Target& target = decree::fuzz::Targets().front();
  const char* directory = std::getenv("DECREE_FUZZ_SEEDS");
  if (directory == nullptr) return 0;
  int number = 0;
  for (const std::string& seed : target.seeds()) {
    std::ofstream(std::string(directory) + "/seed-" + std::to_string(++number), std::ios::binary)
        << seed;
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  decree::fuzz::Targets().front().run({reinterpret_cast<const char*>(data), size});
  return 0;
}

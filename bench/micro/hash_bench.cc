// Hashing of keys and checksums, and where a key lives.
#include <benchmark/benchmark.h>

#include <string>

#include "kv/api/shard_map.h"
#include "kv/base/frame.h"

namespace decree {
namespace {

void Hash(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'b');
  for (auto _ : state) benchmark::DoNotOptimize(Hash64(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Hash)->Arg(16)->Arg(100)->Arg(4096)->Arg(1 << 20);

void ShardOfKey(benchmark::State& state) {
  const std::string key = state.range(0) == 0 ? "user/4711/profile" : "{user/4711}/profile";
  for (auto _ : state) benchmark::DoNotOptimize(ShardOf(key, 1024));
}
BENCHMARK(ShardOfKey)->ArgName("tagged")->Arg(0)->Arg(1);

}  // namespace
}  // namespace decree

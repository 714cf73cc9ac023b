// Encoding and decoding of what travels and what is logged.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "consensus/messages.h"
#include "kv/api/command.h"
#include "kv/base/codec.h"
#include "kv/base/frame.h"

namespace decree {
namespace {

constexpr std::int64_t kSmallValue = 100;
constexpr std::int64_t kPageValue = 4096;
constexpr std::int64_t kLargeValue = 1 << 20;

Command PutOf(std::size_t bytes) {
  Command command;
  command.key = "package/linux-image-6.1.0-18-amd64";
  command.value = std::string(bytes, 'v');
  command.session = {.client = 0x1234567890abcdef, .sequence = 77, .acked_below = 70};
  return command;
}

consensus::Envelope AcceptOf(std::size_t decrees) {
  consensus::Accept accept;
  accept.first = Slot{1000};
  for (std::size_t i = 0; i < decrees; ++i) {
    CommandBatch batch{.time_ms = 1'700'000'000'000, .commands = {PutOf(kSmallValue)}};
    consensus::Decree decree;
    decree.kind = consensus::DecreeKind::kCommandBatch;
    decree.payload = std::make_shared<const std::string>(Encode(batch));
    accept.decrees.push_back(std::move(decree));
  }
  return {.shard = ShardId{7}, .from = {}, .to = {}, .message = std::move(accept)};
}

void CommandEncode(benchmark::State& state) {
  const Command command = PutOf(static_cast<std::size_t>(state.range(0)));
  std::string out;
  for (auto _ : state) {
    out.clear();
    AppendEncoded(out, command);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(out.size()));
}
BENCHMARK(CommandEncode)->Arg(kSmallValue)->Arg(kPageValue)->Arg(kLargeValue);

void CommandDecode(benchmark::State& state) {
  const std::string bytes = Encode(PutOf(static_cast<std::size_t>(state.range(0))));
  for (auto _ : state) {
    Result<Command> command = Decode<Command>(bytes);
    if (!command) state.SkipWithError("the encoding was refused");
    benchmark::DoNotOptimize(command);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
BENCHMARK(CommandDecode)->Arg(kSmallValue)->Arg(kPageValue)->Arg(kLargeValue);

void AcceptRoundTrip(benchmark::State& state) {
  const consensus::Envelope envelope = AcceptOf(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    Result<consensus::Envelope> back = Decode<consensus::Envelope>(Encode(envelope));
    if (!back) state.SkipWithError("the encoding was refused");
    benchmark::DoNotOptimize(back);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(AcceptRoundTrip)->Arg(1)->Arg(16)->Arg(256);

void FrameBuild(benchmark::State& state) {
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'p');
  std::string out;
  for (auto _ : state) {
    out.clear();
    AppendFrame(out, 4, payload);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(FrameBuild)->Arg(kSmallValue)->Arg(kPageValue)->Arg(kLargeValue);

// A buffer as a socket delivers it: many frames behind each other.
void FrameParse(benchmark::State& state) {
  constexpr int kFrames = 64;
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'p');
  std::string buffer;
  for (int i = 0; i < kFrames; ++i) AppendFrame(buffer, 4, payload);
  for (auto _ : state) {
    std::string_view left = buffer;
    Frame frame;
    std::size_t consumed = 0;
    while (ParseFrame(left, &frame, &consumed) == FrameState::kComplete)
      left.remove_prefix(consumed);
    if (!left.empty()) state.SkipWithError("a frame was refused");
  }
  state.SetItemsProcessed(state.iterations() * kFrames);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(buffer.size()));
}
BENCHMARK(FrameParse)->Arg(kSmallValue)->Arg(kPageValue);

}  // namespace
}  // namespace decree

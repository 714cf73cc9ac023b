// Whatever bytes arrive: the decoders neither crash nor read outside, and what they accept is said
// the same way again (decode, encode, decode gives equal encodings).
#include "tests/fuzz/decode_fuzz.h"

#include <string>
#include <string_view>
#include <vector>

#include "consensus/messages.h"
#include "consensus/output.h"
#include "kv/api/command.h"
#include "kv/api/rpc.h"
#include "kv/api/shard_map.h"
#include "kv/base/check.h"
#include "kv/base/codec.h"
#include "kv/base/frame.h"

namespace decree {
namespace {

template <class T>
void DecodesOrRefuses(std::string_view bytes) {
  const Result<T> first = Decode<T>(bytes);
  if (!first) return;
  const std::string said = Encode(*first);
  const Result<T> second = Decode<T>(said);
  DECREE_CHECK(second.has_value());
  DECREE_CHECK(Encode(*second) == said);
}

void FramesEndOrAreRefused(std::string_view bytes) {
  Frame frame;
  std::size_t consumed = 0;
  while (ParseFrame(bytes, &frame, &consumed) == FrameState::kComplete) {
    DECREE_CHECK(consumed >= kFrameHeaderBytes && consumed <= bytes.size());
    DECREE_CHECK(frame.payload.size() == consumed - kFrameHeaderBytes);
    bytes.remove_prefix(consumed);
  }
}

}  // namespace
}  // namespace decree

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace decree;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
      FramesEndOrAreRefused(bytes);
      break;
    case 1:
      DecodesOrRefuses<std::vector<consensus::Envelope>>(bytes);
      break;
    case 2:
      DecodesOrRefuses<consensus::Persist>(bytes);
      break;
    case 3:
      DecodesOrRefuses<RpcRequest>(bytes);
      break;
    case 4:
      DecodesOrRefuses<RpcResponse>(bytes);
      break;
    case 5:
      DecodesOrRefuses<CommandBatch>(bytes);
      break;
    case 6:
      DecodesOrRefuses<ShardMap>(bytes);
      break;
    default:
      DecodesOrRefuses<Hello>(bytes);
      break;
  }
  return 0;
}

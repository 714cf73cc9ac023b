// A reply that is given in any case: kOutcomeUnknown when the time is over first. For calls inside
// one node, which no link watches.
#pragma once

#include <memory>
#include <utility>

#include "kv/api/rpc.h"
#include "kv/base/executor.h"

namespace decree::node {

// Call from the executor; the returned reply runs on it too.
inline RpcReply TimedReply(Executor& executor, Duration timeout, RpcReply reply) {
  auto waiting = std::make_shared<RpcReply>(std::move(reply));
  const auto once = [waiting](RpcResponse response) {
    if (const RpcReply answer = std::exchange(*waiting, nullptr)) answer(std::move(response));
  };
  executor.RunAt(executor.Now() + timeout, [once] {
    RpcResponse late;
    late.code = Errc::kOutcomeUnknown;
    late.detail = "no answer within the time-out";
    once(std::move(late));
  });
  return once;
}

}  // namespace decree::node

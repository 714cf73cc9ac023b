// What a shard host needs from its worker. A seam for tests; the worker is the only product
// implementation.
#pragma once

#include "consensus/messages.h"
#include "kv/api/rpc.h"
#include "kv/base/executor.h"
#include "kv/store/disk.h"
#include "server/node/kept_log.h"
#include "server/node/move_gate.h"
#include "server/node/node_core.h"
#include "server/node/space_ledger.h"
#include "server/node/transport.h"

namespace decree::node {

class ShardHost;

class HostEnv {
 public:
  virtual ~HostEnv() = default;
  virtual Executor& executor() = 0;
  virtual NodeId node() const = 0;
  virtual const NodeConfig& config() const = 0;
  virtual std::uint64_t map_version() const = 0;
  virtual KeptLog& kept_log() = 0;  // of the node
  virtual MoveGate& move_gate(const store::Disk& disk) = 0;
  virtual std::shared_ptr<SpaceLedger> space_ledger(const store::Disk& disk) = 0;
  // Queues an envelope; it leaves at the end of the turn, together with those of other shards.
  virtual void Send(consensus::Envelope envelope) = 0;
  virtual void Call(NodeId to, Channel channel, RpcRequest request, RpcReply reply) = 0;
  // Calls host.Tick at or soon after the instant; replaces the former wish of that host.
  virtual void Wake(ShardHost& host, Instant when) = 0;
  // Leadership, epoch or (placement) applied state changed.
  virtual void HostChanged(ShardHost& host) = 0;
  // The disk refused a write: the host has stopped for good (P8).
  virtual void HostFailed(ShardHost& host, const Error& error) = 0;
};

}  // namespace decree::node

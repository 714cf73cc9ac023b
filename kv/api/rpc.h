// Calls between clients and nodes, and between nodes. A call is a method, the shard it concerns and
// a body that the method defines; an answer has a code from the common vocabulary.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "decree/result.h"
#include "kv/base/codec.h"
#include "kv/base/ids.h"
#include "kv/base/time.h"

namespace decree {

enum class Method : std::uint8_t {
  // Anyone may call these.
  kGetMap = 0,  // body: empty, or the map of a node, taken if it is newer -> ShardMap
  kWrite = 1,   // body: Command -> CommandResult
  kRead = 2,    // body: ReadRequest -> ReadResult
  kScan = 3,    // body: ScanRequest -> ScanResult
  kAdmin = 4,   // body: AdminRequest -> AdminResponse; answered by any node
  // So may whoever wants to be a node; bodies of these and the next: server/node/node_rpc.h.
  kJoin = 16,
  kGather = 17,
  // Nodes of the cluster only: refused (kUnauthorized) on a link whose Hello named none.
  kReport = 18,
  kCreateReplica = 19,
  kDestroyReplica = 20,
  kReplicaStatus = 21,
  kChangeMembers = 22,
  kSnapshotOpen = 23,
  kSnapshotRead = 24,
  kSnapshotClose = 25,
  kRelay = 26,
  kMax = kRelay
};
inline bool IsBetweenNodes(Method method) { return method >= Method::kReport; }

struct RpcRequest {
  Method method = Method::kGetMap;
  ShardId shard;
  std::uint64_t timeout_ms = 2000;  // how long the caller will wait
  std::string body;
  DECREE_FIELDS(method, shard, timeout_ms, body)
};

struct RpcResponse {
  Errc code = Errc::kOk;
  std::string detail;             // for people
  NodeId leader;                  // hint with kNotLeader; 0: unknown
  NodeId served_by;               // the node that held the shard
  Epoch epoch;                    // of the shard, as that node knows it
  std::uint64_t map_version = 0;  // of the answering node
  std::string body;
  DECREE_FIELDS(code, detail, leader, served_by, epoch, map_version, body)
};
using RpcReply = std::function<void(RpcResponse)>;

// The administration interface, the same over HTTP and over the native protocol.
struct AdminRequest {
  std::string method;  // GET POST PATCH DELETE
  std::string target;  // "/v1/admin/moves/7"
  std::string body;    // JSON
  // How long the caller will wait. Not encoded: the call that carries it says what is left.
  std::uint64_t timeout_ms = 5000;
  DECREE_FIELDS(method, target, body)
};
struct AdminResponse {
  std::uint32_t status = 200;
  std::string location;  // of a 202; else empty
  std::string body;      // JSON; for status >= 400 problem+json
  std::string allow;     // of a 405: the methods that the resource takes
  DECREE_FIELDS(status, location, body, allow)
};

// Frame types of the native protocol (kv/base/frame.h).
enum class FrameType : std::uint16_t {
  kHello = 1,      // Hello, first on each connection, both ways
  kRequest = 2,    // varint call id, RpcRequest
  kResponse = 3,   // varint call id, RpcResponse
  kConsensus = 4,  // sequence of consensus::Envelope
};

struct Hello {
  std::uint64_t protocol = 1;
  ClusterId cluster;  // 0: not a member yet, or a client that does not know it yet
  NodeId node;        // 0: a client or a joining node
  DECREE_FIELDS(protocol, cluster, node)
};

}  // namespace decree

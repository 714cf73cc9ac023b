// The stream of a snapshot: whatever a source answers, the fetch asks only for what was announced,
// ends once or waits for an answer, closes what it opened, and stages nothing but what was sent
// with the right checksum.
#include <deque>
#include <map>

#include "kv/base/frame.h"
#include "kv/store/mem_disk.h"
#include "kv/store/staged_file.h"
#include "server/node/snapshot_fetch.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/node/host_cluster.h"

namespace decree::fuzz {
namespace {

using namespace node;

// The other side, as the input tells it; it keeps what was asked of it.
class Source : public HostEnv {
 public:
  Executor& executor() override { return executor_; }
  NodeId node() const override { return NodeId{1}; }
  const NodeConfig& config() const override { return config_; }
  std::uint64_t map_version() const override { return 1; }
  KeptLog& kept_log() override { return kept_log_; }
  node::MoveGate& move_gate(const store::Disk&) override { return gate_; }
  std::shared_ptr<SpaceLedger> space_ledger(const store::Disk&) override { return ledger_; }
  void Send(consensus::Envelope) override {}
  void Wake(ShardHost&, Instant) override {}
  void HostChanged(ShardHost&) override {}
  void HostFailed(ShardHost&, const Error&) override {}
  void Call(NodeId, Channel channel, RpcRequest request, RpcReply reply) override {
    DECREE_CHECK(channel == Channel::kBulk);
    asked.push_back({std::move(request), std::move(reply)});
  }
  void RunAWhile() { executor_.RunFor(1s); }

  struct Asked {
    RpcRequest request;
    RpcReply reply;
  };
  std::deque<Asked> asked;
  const std::shared_ptr<SpaceLedger> ledger_ = std::make_shared<SpaceLedger>();

 private:
  VirtualExecutor executor_;
  NodeConfig config_;
  KeptLog kept_log_;
  node::MoveGate gate_;
};

std::string Checksummed(std::string_view bytes) { return Number(Hash64(bytes), 8).append(bytes); }

class Exchange {
 public:
  explicit Exchange(std::string_view input) : pieces_(input) {
    SnapshotFetch fetch(source_, disk_, {ShardId{3}, ReplicaId{9}}, {{ReplicaId{2}, NodeId{2}}, {}},
                        {}, std::make_shared<SpacePromise>(source_.ledger_),
                        [this](Result<std::unique_ptr<store::Staging>> result) {
                          DECREE_CHECK(++ended_ == 1);
                          staged_ = result.has_value();
                        });
    for (int turns = 0; !source_.asked.empty() && turns < 200; ++turns) AnswerOne();
    DECREE_CHECK(fetch.bytes_done() <= fetch.bytes_total());
    if (staged_) DECREE_CHECK(fetch.bytes_done() == fetch.bytes_total());
  }
  ~Exchange() = default;

  // After the fetch is gone: what was opened is closed, and once only.
  void CheckClosed() {
    while (!source_.asked.empty()) AnswerOne();
    DECREE_CHECK(closed_ == opened_);
  }

 private:
  void AnswerOne() {
    Source::Asked call = std::move(source_.asked.front());
    source_.asked.pop_front();
    RpcResponse response;
    if (call.request.method == Method::kSnapshotClose) {
      ++closed_;
    } else if (call.request.method == Method::kSnapshotOpen) {
      response = Opened();
    } else {
      response = Chunk(Decode<SnapshotRead>(call.request.body).value());
    }
    call.reply(std::move(response));
    source_.RunAWhile();
  }

  RpcResponse Failed() {
    RpcResponse response;
    response.code = pieces_.Byte() % 2 == 0 ? Errc::kNotFound : Errc::kUnavailable;
    return response;
  }

  RpcResponse Opened() {
    if (pieces_.Byte() == 0) return Failed();
    RpcResponse response;
    response.body = pieces_.Piece();
    if (const auto info = DecodesOrRefuses<SnapshotInfo>(response.body)) {
      info_ = *info;
      opened_ += info->id != 0;
    }
    return response;
  }

  // Chunks as they were asked for, or as the input has them; with their checksum or without.
  RpcResponse Chunk(const SnapshotRead& read) {
    CheckAnnounced(read);
    const std::uint8_t how = pieces_.Byte() % 5;
    if (how == 0) return Failed();
    RpcResponse response;
    if (how == 1) response.body = pieces_.Piece();
    if (how == 2) response.body = Checksummed(pieces_.Piece());
    if (how > 2) response.body = Checksummed(std::string(read.size, 'x'));
    return response;
  }

  void CheckAnnounced(const SnapshotRead& read) {
    if (read.file.empty() && read.size == 0) return;  // only to be remembered
    DECREE_CHECK(read.id == info_.id && read.size > 0);
    bool announced = false;
    for (const store::SnapshotFile& file : info_.files) {
      announced = announced || (file.name == read.file && read.offset < file.bytes &&
                                read.size <= file.bytes - read.offset);
    }
    DECREE_CHECK(announced);
  }

  Pieces pieces_;
  Source source_;
  store::MemDisk disk_{store::MemDiskOptions{}};
  SnapshotInfo info_;
  int opened_ = 0;
  bool staged_ = false;
  int ended_ = 0;
  int closed_ = 0;
};

// Names come from a peer: none that is let through leaves the staging directory.
void CheckName(const std::string& name, std::uint64_t offset, std::uint64_t size) {
  if (!store::CheckStagedAppend(name, offset, size)) return;
  DECREE_CHECK(!name.empty() && name.front() != '.' && name.size() <= 200);
  DECREE_CHECK(name.find('/') == std::string::npos && name.find('\0') == std::string::npos);
  DECREE_CHECK(offset <= size);
}

void Run(std::string_view input) {
  Pieces pieces(input);
  if (pieces.Byte() % 4 == 0) {
    const std::uint64_t offset = pieces.Number(2);
    const std::uint64_t size = pieces.Number(2);
    return CheckName(std::string(pieces.Rest()), offset, size);
  }
  Exchange exchange(pieces.Rest());
  exchange.CheckClosed();
}

std::vector<std::string> Seeds() {
  const SnapshotInfo info{7, Slot{9}, {{"CURRENT", 16}, {"empty", 0}, {"1.sst", 300}}};
  const std::string open = Number(1, 1) + Number(1, 1) + Piece(Encode(info));
  const SnapshotInfo large{7, Slot{9}, {{"1.sst", (1u << 20) + 5}}};
  const SnapshotInfo endless{7, Slot{9}, {{"1.sst", ~std::uint64_t{0}}, {"2.sst", 2}}};
  SnapshotInfo small{7, Slot{9}, {{"CURRENT", 5}, {"empty", 0}}};
  small.contents = {"12345", ""};
  SnapshotInfo referral{7, Slot{9}};
  referral.instead = {ReplicaId{3}, NodeId{3}};
  const std::string refer = Number(1, 1) + Number(1, 1) + Piece(Encode(referral));
  return {open + Number(3, 1) + Number(3, 1),
          Number(1, 1) + Number(1, 1) + Piece(Encode(small)),
          refer + Number(1, 1) + Piece(Encode(info)) + Number(3, 1) + Number(3, 1),
          refer + Number(0, 1) + Number(1, 1) + Number(1, 1) + Piece(Encode(info)),
          refer + Number(1, 1) + Piece(Encode(referral)),
          Number(1, 1) + Number(1, 1) + Piece(Encode(endless)) + Number(3, 1),
          open + Number(2, 1) + Piece("short") + Number(3, 1) + Number(0, 2) + Number(3, 1),
          Number(1, 1) + Number(1, 1) + Piece(Encode(large)) + Number(4, 1) + Number(1, 1) +
              Piece("damaged") + Number(4, 1),
          Number(0, 1) + Number(0, 2) + Number(9, 2) + "1.sst",
          Number(0, 1) + Number(0, 4) + "../../etc/passwd"};
}

const Registration kSnapshot{{"snapshot", Run, Seeds}};

}  // namespace
}  // namespace decree::fuzz

#include "server/node/node_core.h"

#include <algorithm>
#include <utility>

#include "kv/base/check.h"
#include "server/node/control.h"
#include "server/node/node_shared.h"

namespace decree::node {

struct NodeCore::Impl : NodeShared {};

NodeCore::NodeCore(NodeConfig config, std::vector<Executor*> workers, Transport& transport,
                   std::vector<store::Disk*> disks)
    : impl_(std::make_shared<Impl>()) {
  DECREE_CHECK(!workers.empty() && !disks.empty());
  impl_->config = std::move(config);
  impl_->transport = &transport;
  for (const store::Disk* disk : disks) {
    impl_->move_gates[disk];
    impl_->space_ledgers[disk] = std::make_shared<SpaceLedger>();
  }
  impl_->disks = std::move(disks);
  for (std::size_t i = 0; i < workers.size(); ++i) {
    impl_->workers.push_back(std::make_unique<Worker>(*impl_, *workers[i]));
  }
  impl_->control = std::make_unique<Control>(*impl_);
}

NodeCore::~NodeCore() {
  impl_->workers.clear();
  impl_->control.reset();
}

void NodeCore::Start(std::function<void(Status)> ready) {
  impl_->workers[0]->executor().Post(
      [impl = impl_.get(), ready = std::move(ready)] { impl->control->Start(ready); });
}

void NodeCore::HandOver(Duration grace, std::function<void()> done) {
  impl_->workers[0]->executor().Post([impl = impl_.get(), grace, done = std::move(done)] {
    impl->control->HandOver(grace, done);
  });
}

void NodeCore::Stop(Duration grace, std::function<void()> done) {
  impl_->workers[0]->executor().Post(
      [impl = impl_.get(), grace, done = std::move(done)] { impl->control->Stop(grace, done); });
}

void NodeCore::OnEnvelopes(std::vector<consensus::Envelope> envelopes) {
  if (impl_->workers.size() == 1) return impl_->workers[0]->Deliver(std::move(envelopes));
  std::vector<std::vector<consensus::Envelope>> by_worker(impl_->workers.size());
  for (consensus::Envelope& envelope : envelopes) {
    const std::size_t worker =
        envelope.shard == kPlacementShard ? 0 : envelope.shard.value % impl_->workers.size();
    by_worker[worker].push_back(std::move(envelope));
  }
  for (std::size_t i = 0; i < by_worker.size(); ++i) {
    if (!by_worker[i].empty()) impl_->workers[i]->Deliver(std::move(by_worker[i]));
  }
}

void NodeCore::OnRequest(NodeId from, RpcRequest request, RpcReply reply) {
  impl_->WorkerOf(request.shard).Dispatch(from, std::move(request), std::move(reply));
}

void NodeCore::OnLinkDown(NodeId node) { impl_->WakeSleepersOf(node); }

Caller& NodeCore::caller(std::size_t worker) { return impl_->workers[worker]->caller(); }

void NodeCore::Admin(AdminRequest request, Duration timeout,
                     std::function<void(AdminResponse)> done) {
  const auto wait = std::max(std::chrono::duration_cast<milliseconds>(timeout), milliseconds(1));
  RpcRequest call{Method::kAdmin, kPlacementShard, static_cast<std::uint64_t>(wait.count()),
                  Encode(request)};
  const bool reads = request.method == "GET";
  OnRequest(NodeId{}, std::move(call),
            [impl = impl_.get(), reads, done = std::move(done)](RpcResponse response) {
              // Reading changes nothing, so there is no outcome to be unsure of.
              if (reads && response.code == Errc::kOutcomeUnknown) {
                response.code = Errc::kUnavailable;
              }
              Result<AdminResponse> answer = Errc::kUnavailable;
              if (response.code == Errc::kOk) answer = Decode<AdminResponse>(response.body);
              AdminResponse final =
                  answer
                      ? std::move(*answer)
                      : AdminProblem(response.code == Errc::kOk ? Errc::kCorruption : response.code,
                                     response.detail);
              impl->workers[0]->executor().Post([done, final = std::move(final)] { done(final); });
            });
}

NodeId NodeCore::id() const { return impl_->node(); }
ClusterId NodeCore::cluster() const { return impl_->cluster(); }
bool NodeCore::ready() const { return impl_->serving && !impl_->stopping; }
std::size_t NodeCore::workers() const { return impl_->workers.size(); }

}  // namespace decree::node

#include "server/net/native_listener.h"

#include <atomic>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/net/native_session.h"

namespace decree::net {
namespace {

constexpr Duration kDrainPoll = 10ms;

}  // namespace

struct NativeListener::Impl : std::enable_shared_from_this<NativeListener::Impl> {
  Impl(Runtime& r, NodeDoor& d, const LinkIdentity& i, LogSink l, NativeTuning t)
      : runtime(r), door(d), identity(i), log(std::move(l)), tuning(t), sessions(r.size()) {}

  void OnAccept(Acceptor::Accepted accepted);
  void Drain(std::size_t worker, std::function<void()> on_idle);
  void CloseAll(std::size_t worker);

  Runtime& runtime;
  std::unique_ptr<Acceptor> acceptor;
  NodeDoor& door;
  const LinkIdentity& identity;
  const LogSink log;
  const NativeTuning tuning;
  // By worker, used on it only.
  std::vector<std::unordered_map<NativeSession*, std::shared_ptr<NativeSession>>> sessions;
};

void NativeListener::Impl::OnAccept(Acceptor::Accepted accepted) {
  const std::size_t worker = accepted.worker.index();
  auto session =
      std::make_shared<NativeSession>(std::move(accepted), door, identity, log,
                                      [self = weak_from_this(), worker](NativeSession* ended) {
                                        if (const auto impl = self.lock())
                                          impl->sessions[worker].erase(ended);
                                      });
  sessions[worker].emplace(session.get(), session);
  session->Start(tuning.hello_timeout);
}

void NativeListener::Impl::Drain(std::size_t worker, std::function<void()> on_idle) {
  bool busy = false;
  for (const auto& [key, session] : sessions[worker]) busy |= session->Drain();
  if (!busy) return on_idle();
  Executor& executor = runtime.executor(worker);
  executor.RunAt(executor.Now() + kDrainPoll, [weak = weak_from_this(), worker, on_idle] {
    if (const auto impl = weak.lock()) impl->Drain(worker, on_idle);
  });
}

void NativeListener::Impl::CloseAll(std::size_t worker) {
  const auto closing = sessions[worker];
  for (const auto& [key, session] : closing) session->Close({});
}

NativeListener::NativeListener(Runtime& runtime, std::unique_ptr<Acceptor> acceptor, NodeDoor& door,
                               const LinkIdentity& identity, LogSink log, NativeTuning tuning)
    : impl_(std::make_shared<Impl>(runtime, door, identity, std::move(log), tuning)) {
  impl_->acceptor = std::move(acceptor);
}

NativeListener::~NativeListener() {
  for (std::size_t worker = 0; worker < impl_->sessions.size(); ++worker) impl_->CloseAll(worker);
}

void NativeListener::Start() {
  impl_->acceptor->Start([weak = std::weak_ptr(impl_)](Acceptor::Accepted accepted) {
    if (const auto impl = weak.lock()) impl->OnAccept(std::move(accepted));
  });
}

void NativeListener::Drain(std::function<void()> done) {
  impl_->acceptor->Stop();
  const auto left = std::make_shared<std::atomic<std::size_t>>(impl_->sessions.size());
  const auto on_idle = [left, done = std::move(done)] {
    if (--*left == 0) done();
  };
  for (std::size_t worker = 0; worker < impl_->sessions.size(); ++worker) {
    impl_->runtime.executor(worker).Post(
        [impl = impl_, worker, on_idle] { impl->Drain(worker, on_idle); });
  }
}

void NativeListener::Stop() {
  impl_->acceptor->Stop();
  for (std::size_t worker = 0; worker < impl_->sessions.size(); ++worker) {
    impl_->runtime.executor(worker).Post([impl = impl_, worker] { impl->CloseAll(worker); });
  }
}

const HostPort& NativeListener::bound() const { return impl_->acceptor->bound(); }

}  // namespace decree::net

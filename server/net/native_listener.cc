#include "server/net/native_listener.h"

#include <unordered_map>
#include <utility>
#include <vector>

#include "server/net/native_session.h"

namespace decree::net {

struct NativeListener::Impl : std::enable_shared_from_this<NativeListener::Impl> {
  Impl(Runtime& r, NodeDoor& d, const LinkIdentity& i, LogSink l)
      : runtime(r), door(d), identity(i), log(std::move(l)), sessions(r.size()) {}

  void OnAccept(Acceptor::Accepted accepted);
  void CloseAll(std::size_t worker);

  Runtime& runtime;
  std::unique_ptr<Acceptor> acceptor;
  NodeDoor& door;
  const LinkIdentity& identity;
  const LogSink log;
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
  session->Start();
}

void NativeListener::Impl::CloseAll(std::size_t worker) {
  const auto closing = sessions[worker];
  for (const auto& [key, session] : closing) session->Close({});
}

NativeListener::NativeListener(Runtime& runtime, std::unique_ptr<Acceptor> acceptor, NodeDoor& door,
                               const LinkIdentity& identity, LogSink log)
    : impl_(std::make_shared<Impl>(runtime, door, identity, std::move(log))) {
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

void NativeListener::Stop() {
  impl_->acceptor->Stop();
  for (std::size_t worker = 0; worker < impl_->sessions.size(); ++worker) {
    impl_->runtime.executor(worker).Post([impl = impl_, worker] { impl->CloseAll(worker); });
  }
}

const HostPort& NativeListener::bound() const { return impl_->acceptor->bound(); }

}  // namespace decree::net

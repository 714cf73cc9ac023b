#include "client/remote_backend.h"

#include <future>
#include <mutex>
#include <set>

#include "client/remote_courier.h"
#include "decree/detail/answer_once.h"
#include "kv/base/own_thread.h"

namespace decree::client {
namespace {

using detail::AnswerOnce;
using Calls = detail::CallTable<OperationResult>;

constexpr Duration kAdminPause = 50ms;  // between tries of an administrative call
constexpr Duration kAdminAttempt = 2s;  // one node may take this long before another is asked

// An administrative call and its tries.
struct AdminTry {
  RpcRequest request;
  Instant deadline;
  bool repeatable = false;  // asking twice does no harm
  std::function<void(Result<AdminReply>)> done;
};

class RemoteBackend : public ClientBackend, public std::enable_shared_from_this<RemoteBackend> {
 public:
  explicit RemoteBackend(std::vector<std::string> endpoints)
      : loop_(IoLoop::Start()),
        shared_(std::make_shared<LinkShared>()),
        courier_(*loop_, shared_, std::move(endpoints)),
        caller_(std::make_unique<Caller>(*loop_, courier_)) {
    courier_.UseMap([this] { return caller_ ? caller_->map() : nullptr; });
  }
  ~RemoteBackend() override { Close(); }

  void Start(std::uint64_t call, Operation operation,
             std::function<void(OperationResult)> done) override;
  void Cancel(std::uint64_t call) override;
  void Admin(AdminCall call, std::function<void(Result<AdminReply>)> done) override;
  void CountShards(std::chrono::milliseconds timeout,
                   std::function<void(Result<std::uint32_t>)> done) override;
  void Post(std::function<void()> task) override { loop_->Post(std::move(task)); }
  bool OnOwnThread() const override { return on_own_thread; }
  void Close() override;

 private:
  void CloseOnLoop();
  void TryAdmin(std::shared_ptr<AdminTry> admin);
  void OnAdmin(const std::shared_ptr<AdminTry>& admin, RpcResponse response);
  // Runs later on the loop's thread with this backend still there.
  void Later(std::function<void(RemoteBackend&)> task) {
    loop_->Post([weak = weak_from_this(), task = std::move(task)] {
      if (const auto self = weak.lock(); self && self->caller_) task(*self);
    });
  }

  const std::shared_ptr<IoLoop> loop_;
  const std::shared_ptr<LinkShared> shared_;
  // On the loop's thread only:
  RemoteCourier courier_;
  std::unique_ptr<Caller> caller_;  // null once closed
  const std::shared_ptr<Calls> calls_ = std::make_shared<Calls>();
  std::set<std::shared_ptr<AdminTry>> admin_;  // under way

  std::once_flag closed_;
};

void RemoteBackend::Start(std::uint64_t call, Operation operation,
                          std::function<void(OperationResult)> done) {
  OperationResult otherwise;
  otherwise.code = Errc::kCancelled;
  otherwise.detail = "the client is closing";
  auto once = std::make_shared<AnswerOnce<OperationResult>>(std::move(done), std::move(otherwise));
  auto shared = std::make_shared<Operation>(std::move(operation));
  Later([call, shared, once](RemoteBackend& self) {
    self.calls_->Start(call, once, [&self, &shared](OperationCallback answer) {
      return self.caller_->Start(std::move(*shared), std::move(answer));
    });
  });
}

void RemoteBackend::Cancel(std::uint64_t call) {
  Later([call](RemoteBackend& self) {
    if (const std::uint64_t id = self.calls_->Find(call)) self.caller_->Cancel(id);
  });
}

void RemoteBackend::CountShards(std::chrono::milliseconds timeout,
                                std::function<void(Result<std::uint32_t>)> done) {
  auto once = std::make_shared<AnswerOnce<Result<std::uint32_t>>>(
      std::move(done), Error(Errc::kCancelled, "the client is closing"));
  Later([timeout, once](RemoteBackend& self) {
    if (const auto map = self.caller_->map()) {
      return once->Answer(static_cast<std::uint32_t>(map->shards.size()));
    }
    self.caller_->RefreshMap(timeout, [weak = self.weak_from_this(), once](Errc code) {
      const auto backend = weak.lock();
      const auto map = backend && backend->caller_ ? backend->caller_->map() : nullptr;
      if (code != Errc::kOk || !map) {
        const Errc reason = code == Errc::kOk ? Errc::kUnavailable : code;
        return once->Answer(Error(reason, "the shard map could not be fetched"));
      }
      once->Answer(static_cast<std::uint32_t>(map->shards.size()));
    });
  });
}

// ---- administration ----

void RemoteBackend::Admin(AdminCall call, std::function<void(Result<AdminReply>)> done) {
  auto once = std::make_shared<AnswerOnce<Result<AdminReply>>>(
      std::move(done), Error(Errc::kCancelled, "the client is closing"));
  auto admin = std::make_shared<AdminTry>();
  admin->request.method = Method::kAdmin;
  admin->request.body = Encode(AdminRequest{call.method, call.target, call.body});
  admin->repeatable = call.method == "GET";
  admin->done = [once](Result<AdminReply> reply) { once->Answer(std::move(reply)); };
  Later([admin, timeout = call.timeout](RemoteBackend& self) {
    admin->deadline = self.loop_->Now() + timeout;
    self.admin_.insert(admin);
    self.TryAdmin(admin);
  });
}

void RemoteBackend::TryAdmin(std::shared_ptr<AdminTry> admin) {
  const Duration left = std::max<Duration>(admin->deadline - loop_->Now(), 1ms);
  const Duration attempt = admin->repeatable ? std::min(left, kAdminAttempt) : left;
  RpcRequest request = admin->request;
  request.timeout_ms = static_cast<std::uint64_t>(std::chrono::ceil<milliseconds>(attempt).count());
  courier_.Call(NodeId{}, std::move(request),
                [weak = weak_from_this(), admin](RpcResponse response) {
                  if (const auto self = weak.lock()) self->OnAdmin(admin, std::move(response));
                });
}

// Repeats what certainly did nothing, and reads; everything else is the caller's to judge.
void RemoteBackend::OnAdmin(const std::shared_ptr<AdminTry>& admin, RpcResponse response) {
  if (!admin_.contains(admin)) return;  // answered by Close
  const bool again = response.code == Errc::kUnavailable || response.code == Errc::kBusy ||
                     (response.code == Errc::kOutcomeUnknown && admin->repeatable);
  if (again && loop_->Now() + kAdminPause < admin->deadline) {
    loop_->RunAt(loop_->Now() + kAdminPause, [weak = weak_from_this(), admin] {
      const auto self = weak.lock();
      if (self && self->admin_.contains(admin)) self->TryAdmin(admin);
    });
    return;
  }
  admin_.erase(admin);
  // Reading changes nothing, so there is no outcome to be unsure of.
  if (response.code == Errc::kOutcomeUnknown && admin->repeatable) {
    response.code = Errc::kUnavailable;
  }
  if (response.code != Errc::kOk) return admin->done(Error(response.code, response.detail));
  auto decoded = Decode<AdminResponse>(response.body);
  if (!decoded) return admin->done(decoded.error());
  admin->done(AdminReply{decoded->status, std::move(decoded->location), std::move(decoded->body)});
}

// ---- the end ----

// On the loop's thread, never inside one of the Caller's own callbacks. The Caller goes last and
// answers what is still pending.
void RemoteBackend::CloseOnLoop() {
  const auto caller = std::move(caller_);
  const auto admin = std::move(admin_);
  admin_.clear();
  for (const auto& one : admin) one->done(Error(Errc::kCancelled, "the client is closing"));
  courier_.Close();
}

void RemoteBackend::Close() {
  std::call_once(closed_, [this] {
    if (on_own_thread) {  // another client's, too: it may be closing this one's at the same time
      loop_->Post([self = shared_from_this()] { self->CloseOnLoop(); });
    } else {
      auto closed = std::make_shared<std::promise<void>>();
      loop_->Post([this, closed] {
        CloseOnLoop();
        closed->set_value();
      });
      closed->get_future().wait();
    }
    loop_->Stop([this] { return on_own_thread || shared_->resolving > 0; });
  });
}

Status CheckEndpoints(const ClientOptions& options) {
  if (options.endpoints.empty()) return Error(Errc::kInvalidArgument, "no endpoint was given");
  for (const std::string& endpoint : options.endpoints) {
    const auto parsed = ParseClientUri("decree://" + endpoint);
    if (!parsed) return parsed.error();
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<ClientBackend>> ConnectRemote(const ClientOptions& options) {
  if (auto ok = CheckEndpoints(options); !ok) return ok.error();
  std::vector<std::string> endpoints;
  for (const std::string& endpoint : options.endpoints) {
    endpoints.push_back(ParseClientUri("decree://" + endpoint)->endpoints.front());
  }
  return std::shared_ptr<ClientBackend>(std::make_shared<RemoteBackend>(std::move(endpoints)));
}

}  // namespace decree::client

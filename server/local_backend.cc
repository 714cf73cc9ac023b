#include "server/local_backend.h"

#include <utility>
#include <variant>

#include "decree/client.h"
#include "decree/detail/answer_once.h"
#include "kv/api/caller.h"
#include "kv/base/own_thread.h"

namespace decree {
namespace {

using detail::AnswerOnce;
using Calls = detail::CallTable<OperationResult>;

constexpr char kGone[] = "the node is stopping";

class LocalBackend : public ClientBackend, public std::enable_shared_from_this<LocalBackend> {
 public:
  explicit LocalBackend(std::shared_ptr<NodeGate> gate);
  ~LocalBackend() override = default;

  void Start(std::uint64_t call, Operation operation,
             std::function<void(OperationResult)> done) override;
  void Cancel(std::uint64_t call) override;
  void Admin(AdminCall call, std::function<void(Result<AdminReply>)> done) override;
  void CountShards(std::chrono::milliseconds timeout,
                   std::function<void(Result<std::uint32_t>)> done) override;
  void Post(std::function<void()> task) override;
  bool OnOwnThread() const override { return on_own_thread; }
  bool Failed() const override { return gate_->failed(); }
  void Close() override;

 private:
  // Lets go of it on a worker, where it answers that the node is stopping.
  template <class Once>
  void AnswerElsewhere(Once once) {  // the last reference: the caller keeps none
    PostTo(0, [once = std::move(once)](const NodeGate::Access&) {});
  }
  std::size_t WorkerOf(const Operation& operation) const;
  bool PostTo(std::size_t worker, std::function<void(const NodeGate::Access&)> task);

  const std::shared_ptr<NodeGate> gate_;
  std::vector<std::shared_ptr<Calls>> calls_;  // one a worker, each used on that worker only
  std::atomic<bool> closed_{false};
};

LocalBackend::LocalBackend(std::shared_ptr<NodeGate> gate) : gate_(std::move(gate)) {
  gate_->Enter([this](const NodeGate::Access& access) {
    for (std::size_t i = 0; i < access.workers.size(); ++i) {
      calls_.push_back(std::make_shared<Calls>());
    }
  });
}

// The worker that holds the key's shard, as soon as the number of shards is known.
std::size_t LocalBackend::WorkerOf(const Operation& operation) const {
  const std::uint32_t shards = gate_->shards.load(std::memory_order_relaxed);
  if (operation.kind == OperationKind::kScan) return operation.shard.value % calls_.size();
  return shards == 0 ? 0 : ShardOf(operation.key, shards).value % calls_.size();
}

bool LocalBackend::PostTo(std::size_t worker, std::function<void(const NodeGate::Access&)> task) {
  return gate_->Enter([&](const NodeGate::Access& access) {
    access.workers[worker]->Post([gate = gate_, task = std::move(task)] { gate->Enter(task); });
  });
}

void LocalBackend::Start(std::uint64_t call, Operation operation,
                         std::function<void(OperationResult)> done) {
  OperationResult otherwise;
  otherwise.code = Errc::kShuttingDown;
  otherwise.detail = kGone;
  auto once = std::make_shared<AnswerOnce<OperationResult>>(std::move(done), std::move(otherwise));
  if (calls_.empty()) return;
  if (closed_ || gate_->refusing()) return AnswerElsewhere(std::move(once));
  const std::size_t worker = WorkerOf(operation);
  auto shared = std::make_shared<Operation>(std::move(operation));
  PostTo(worker,
         [self = shared_from_this(), worker, call, shared, once](const NodeGate::Access& access) {
           Caller& caller = access.caller(worker);
           if (self->gate_->shards == 0 && caller.map()) {
             self->gate_->shards = static_cast<std::uint32_t>(caller.map()->shards.size());
           }
           self->calls_[worker]->Start(call, once, [&caller, &shared](OperationCallback answer) {
             return caller.Start(std::move(*shared), std::move(answer));
           });
         });
}

void LocalBackend::Cancel(std::uint64_t call) {
  for (std::size_t worker = 0; worker < calls_.size(); ++worker) {
    PostTo(worker, [calls = calls_[worker], worker, call](const NodeGate::Access& access) {
      if (const std::uint64_t id = calls->Find(call)) access.caller(worker).Cancel(id);
    });
  }
}

void LocalBackend::Admin(AdminCall call, std::function<void(Result<AdminReply>)> done) {
  using Reply = Result<AdminReply>;
  auto once =
      std::make_shared<AnswerOnce<Reply>>(std::move(done), Error(Errc::kShuttingDown, kGone));
  if (gate_->refusing()) return AnswerElsewhere(std::move(once));
  PostTo(0, [call = std::move(call), once](const NodeGate::Access& access) {
    const Instant deadline = access.workers[0]->Now() + call.timeout;
    const Errc late = call.method == "GET" ? Errc::kUnavailable : Errc::kOutcomeUnknown;
    access.workers[0]->RunAt(deadline,
                             [once, late] { once->Answer(Error(late, "no answer in time")); });
    access.admin({call.method, call.target, call.body}, call.timeout,
                 [once](AdminResponse response) {
                   once->Answer(AdminReply{response.status, response.location, response.body});
                 });
  });
}

void LocalBackend::CountShards(std::chrono::milliseconds timeout,
                               std::function<void(Result<std::uint32_t>)> done) {
  using Count = Result<std::uint32_t>;
  auto once =
      std::make_shared<AnswerOnce<Count>>(std::move(done), Error(Errc::kShuttingDown, kGone));
  PostTo(0, [gate = gate_, timeout, once](const NodeGate::Access& access) {
    access.caller(0).RefreshMap(timeout, [gate, once](Errc code) {
      gate->Enter([&](const NodeGate::Access& inside) {
        const auto map = inside.caller(0).map();
        if (code != Errc::kOk && !map) return once->Answer(Count(Error(code)));
        once->Answer(Count(static_cast<std::uint32_t>(map->shards.size())));
      });
    });
  });
}

void LocalBackend::Post(std::function<void()> task) {
  using Nothing = std::monostate;
  auto once = std::make_shared<AnswerOnce<Nothing>>([task = std::move(task)](Nothing) { task(); },
                                                    Nothing{});
  PostTo(0, [once](const NodeGate::Access&) { once->Answer({}); });
}

// Waits for nothing: what is cancelled is answered by its worker, which may be running this.
void LocalBackend::Close() {
  if (closed_.exchange(true)) return;
  for (std::size_t worker = 0; worker < calls_.size(); ++worker) {
    PostTo(worker, [calls = calls_[worker], worker](const NodeGate::Access& access) {
      for (const std::uint64_t id : calls->All()) access.caller(worker).Cancel(id);
    });
  }
}

}  // namespace

void NodeGate::Open(Access access) {
  access_ = std::move(access);
  open_ = !failed_;
}

bool NodeGate::Enter(const std::function<void(const Access&)>& use) {
  struct Visit {  // left by exceptions too: a failed CHECK unwinds through here
    std::atomic<int>& inside;
    explicit Visit(std::atomic<int>& count) : inside(count) { inside.fetch_add(1); }
    ~Visit() {
      if (inside.fetch_sub(1) == 1) inside.notify_all();
    }
  };
  const Visit visit(inside_);
  const bool entered = open_;
  if (entered) use(access_);
  return entered;
}

void NodeGate::Fail() {
  failed_ = true;
  open_ = false;
}

void NodeGate::Shut() {
  open_ = false;
  for (int inside = inside_; inside != 0; inside = inside_) inside_.wait(inside);
}

std::shared_ptr<ClientBackend> MakeLocalBackend(std::shared_ptr<NodeGate> gate) {
  return std::make_shared<LocalBackend>(std::move(gate));
}

}  // namespace decree

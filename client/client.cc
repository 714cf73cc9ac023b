#include "decree/client.h"

#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "client/call.h"
#include "client/remote_backend.h"
#include "client/scan_run.h"
#include "decree/client_backend.h"
#include "kv/api/caller.h"

namespace decree {
namespace detail {

struct ClientState {
  std::shared_ptr<ClientBackend> backend;
  std::chrono::milliseconds timeout{};
  std::mutex mutex;
  std::map<std::uint64_t, std::weak_ptr<ScanRun>> scans;  // by call, those that have ended too

  ~ClientState() { backend->Close(); }
};

std::uint64_t NewCall(const StatePtr& state) { return state->backend->NewCall(); }

void CancelCall(const std::weak_ptr<ClientState>& state, std::uint64_t call) {
  const auto alive = state.lock();
  if (!alive) return;
  std::shared_ptr<ScanRun> scan;
  {
    const std::lock_guard lock(alive->mutex);
    if (const auto found = alive->scans.find(call); found != alive->scans.end()) {
      scan = found->second.lock();
    }
  }
  if (scan) return scan->Cancel();
  alive->backend->Cancel(call);
}

namespace {

// From the backend's thread, as every answer.
template <class T>
void Refuse(const StatePtr& state, Done<T> done, const Error& error) {
  state->backend->Post([done = std::move(done), error] { done(error); });
}

// Sends a valid operation.
template <class T, class Convert>
void Start(const StatePtr& state, std::uint64_t call, Result<Operation> operation, Done<T> done,
           Convert convert) {
  if (!operation) return Refuse<T>(state, std::move(done), operation.error());
  if (operation->timeout <= Duration::zero()) operation->timeout = state->timeout;
  state->backend->Start(call, std::move(*operation),
                        [done = std::move(done), convert](OperationResult result) {
                          done(convert(std::move(result)));
                        });
}

// How often a blocking call looks whether anybody can still answer it.
constexpr std::chrono::milliseconds kLookForFailure{200};

template <class T>
Result<T> Await(const StatePtr& state, const std::function<void(Done<T>)>& start) {
  if (state->backend->OnOwnThread()) {
    return Error(Errc::kInvalidArgument,
                 "a blocking call inside a completion handler would wait for itself: use Async");
  }
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto future = promise->get_future();
  start([promise](Result<T> result) { promise->set_value(std::move(result)); });
  while (future.wait_for(kLookForFailure) != std::future_status::ready) {
    if (state->backend->Failed()) return Error(Errc::kOutcomeUnknown, "the node has failed");
  }
  return future.get();
}

template <class T, class Call>
Result<T> LaunchAndWait(const StatePtr& state, Call call) {
  return Await<T>(state, [&state, &call](Done<T> done) {
    Launch(state, NewCall(state), std::move(call), std::move(done));
  });
}

}  // namespace

void Launch(const StatePtr& state, std::uint64_t call, GetCall get, Done<Value> done) {
  Start(state, call, MakeGet(std::move(get)), std::move(done), ToValue);
}

void Launch(const StatePtr& state, std::uint64_t call, PutCall put, Done<Version> done) {
  Start(state, call, MakePut(std::move(put)), std::move(done), ToVersion);
}

void Launch(const StatePtr& state, std::uint64_t call, DelCall del, Done<bool> done) {
  Start(state, call, MakeDel(std::move(del)), std::move(done), ToRemoved);
}

void Launch(const StatePtr& state, std::uint64_t call, CasCall cas, Done<Version> done) {
  Start(state, call, MakeCas(std::move(cas)), std::move(done), ToVersion);
}

void Launch(const StatePtr& state, std::uint64_t call, ScanShardCall scan, Done<ScanPage> done) {
  Start(state, call, MakeScan(std::move(scan)), std::move(done), ToScanPage);
}

void Launch(const StatePtr& state, std::uint64_t call, ScanCall scan, Done<ScanPage> done) {
  const auto wanted = scan.options.read.timeout;
  auto range = MakeRange(std::move(scan.options));
  if (!range) return Refuse<ScanPage>(state, std::move(done), range.error());
  const auto timeout = wanted.count() > 0 ? wanted : state->timeout;
  const auto run =
      std::make_shared<ScanRun>(state->backend, std::move(*range), timeout, std::move(done));
  {
    const std::lock_guard lock(state->mutex);
    std::erase_if(state->scans, [](const auto& known) { return known.second.expired(); });
    state->scans[call] = run;
  }
  run->Start();
}

}  // namespace detail

Client::Client(std::shared_ptr<ClientBackend> backend, std::chrono::milliseconds timeout)
    : state_(std::make_shared<detail::ClientState>()) {
  state_->backend = std::move(backend);
  state_->timeout = timeout;
}

Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::Connect(std::string_view uri) {
  auto options = ParseClientUri(uri);
  if (!options) return options.error();
  return Connect(*options);
}

Result<Client> Client::Connect(const ClientOptions& options) {
  if (options.timeout <= std::chrono::milliseconds::zero()) {
    return Error(Errc::kInvalidArgument, "the timeout must be above zero");
  }
  auto backend = client::ConnectRemote(options);
  if (!backend) return backend.error();
  return Client(std::move(*backend), options.timeout);
}

Result<Value> Client::Get(std::string_view key, ReadOptions options) {
  return detail::LaunchAndWait<Value>(state_, detail::GetCall{std::string(key), options});
}

Result<Version> Client::Put(std::string_view key, std::string_view value, WriteOptions options) {
  return detail::LaunchAndWait<Version>(
      state_, detail::PutCall{std::string(key), std::string(value), options});
}

Result<Version> Client::PutIfAbsent(std::string_view key, std::string_view value,
                                    WriteOptions options) {
  options.if_absent = true;
  return Put(key, value, options);
}

Result<bool> Client::Del(std::string_view key, WriteOptions options) {
  return detail::LaunchAndWait<bool>(state_, detail::DelCall{std::string(key), options});
}

Result<Version> Client::Cas(std::string_view key, std::string_view expected, std::string_view value,
                            WriteOptions options) {
  return detail::LaunchAndWait<Version>(
      state_,
      detail::CasCall{std::string(key), std::string(expected), std::string(value), options});
}

Result<ScanPage> Client::Scan(ScanOptions options) {
  return detail::LaunchAndWait<ScanPage>(state_, detail::ScanCall{std::move(options)});
}

Result<ScanPage> Client::ScanShard(std::uint32_t shard, ScanOptions options) {
  return detail::LaunchAndWait<ScanPage>(state_, detail::ScanShardCall{shard, std::move(options)});
}

Result<std::uint32_t> Client::ShardCount(ReadOptions options) {
  const auto timeout = options.timeout.count() > 0 ? options.timeout : state_->timeout;
  return detail::Await<std::uint32_t>(state_, [this, timeout](detail::Done<std::uint32_t> done) {
    state_->backend->CountShards(timeout, std::move(done));
  });
}

Result<AdminReply> Client::Admin(std::string_view method, std::string_view target,
                                 std::string_view body, std::chrono::milliseconds timeout) {
  AdminCall call{std::string(method), std::string(target), std::string(body),
                 timeout.count() > 0 ? timeout : state_->timeout};
  return detail::Await<AdminReply>(state_, [this, &call](detail::Done<AdminReply> done) {
    state_->backend->Admin(std::move(call), std::move(done));
  });
}

}  // namespace decree

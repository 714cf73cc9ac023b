#include "client/scan_run.h"

#include <utility>
#include <vector>

#include "client/call.h"

namespace decree::detail {

using std::chrono::steady_clock;

ScanRun::ScanRun(std::shared_ptr<ClientBackend> backend, KeyRange range,
                 std::chrono::milliseconds timeout, Done<ScanPage> done)
    : backend_(std::move(backend)),
      range_(std::move(range)),
      deadline_(steady_clock::now() + timeout),
      done_(std::move(done)) {}

void ScanRun::Start() {
  const auto left = deadline_ - steady_clock::now();
  backend_->CountShards(std::chrono::ceil<std::chrono::milliseconds>(left),
                        [self = shared_from_this()](Result<std::uint32_t> count) {
                          if (!count) return self->Finish(count.error());
                          {
                            const std::lock_guard lock(self->mutex_);
                            self->scan_.emplace(self->range_, *count);
                          }
                          self->AskForPages();
                        });
}

void ScanRun::AskForPages() {
  std::vector<std::pair<std::uint64_t, Operation>> next;
  OperationResult whole;
  Done<ScanPage> done;
  {
    const std::lock_guard lock(mutex_);
    if (!done_) return;
    while (auto page = scan_->Next()) {
      next.emplace_back(backend_->NewCall(),
                        ToOperation(std::move(*page), deadline_ - steady_clock::now()));
      calls_.insert(next.back().first);
    }
    // Two threads may have brought the last pages: one of them answers.
    if (scan_->finished()) {
      whole.scan = scan_->TakeResult();
      done = std::exchange(done_, nullptr);
    }
  }
  for (auto& [call, operation] : next) {
    const ShardId shard = operation.shard;
    backend_->Start(call, std::move(operation),
                    [self = shared_from_this(), call = call, shard](OperationResult result) {
                      self->OnPage(call, shard, std::move(result));
                    });
  }
  if (done) done(ToScanPage(std::move(whole)));
}

void ScanRun::OnPage(std::uint64_t call, ShardId shard, OperationResult result) {
  if (result.code != Errc::kOk) return Finish(ToScanPage(std::move(result)));
  Status taken;
  {
    const std::lock_guard lock(mutex_);
    calls_.erase(call);
    if (!done_) return;
    taken = scan_->Take(shard, std::move(result.scan));
  }
  if (!taken) return Finish(taken.error());
  AskForPages();
}

void ScanRun::Finish(Result<ScanPage> result) {
  Done<ScanPage> done;
  std::set<std::uint64_t> calls;
  {
    const std::lock_guard lock(mutex_);
    done = std::exchange(done_, nullptr);
    calls = std::exchange(calls_, {});
  }
  if (!done) return;
  for (const std::uint64_t call : calls) backend_->Cancel(call);  // nobody waits for them
  done(std::move(result));
}

void ScanRun::Cancel() {
  backend_->Post([self = shared_from_this()] {
    self->Finish(Error(Errc::kCancelled, "the scan was cancelled"));
  });
}

}  // namespace decree::detail

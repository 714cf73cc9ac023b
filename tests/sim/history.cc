#include "tests/sim/history.h"

#include <algorithm>

#include "kv/base/frame.h"

namespace decree::sim {
namespace {

using linearizability::If;
using linearizability::Kind;

If ToIf(const Condition& condition) {
  switch (condition.kind) {
    case ConditionKind::kAbsent:
      return If::kAbsent;
    case ConditionKind::kVersionIs:
      return If::kVersionIs;
    case ConditionKind::kValueIs:
      return If::kValueIs;
    default:
      return If::kAlways;
  }
}

Kind ToKind(OperationKind kind) {
  if (kind == OperationKind::kPut) return Kind::kPut;
  return kind == OperationKind::kDelete ? Kind::kDelete : Kind::kGet;
}

}  // namespace

std::uint64_t History::Called(const Operation& operation, const std::string& who,
                              const std::vector<std::string>& keys) {
  Entry entry;
  for (const std::string& key : keys) {
    Operation get;
    get.key = key;
    entry.page.push_back(Called(get, who + " page"));
    entries_[entry.page.back()].dropped = true;  // until the page is there
  }
  counts_.called -= keys.size();
  counts_.unknown -= keys.size();
  const bool scan = operation.kind == OperationKind::kScan;
  entry.scan = entry.dropped = scan;
  entry.limit = operation.scan.limit;
  entry.stale = !scan && operation.consistency == Consistency::kStale;
  if (operation.kind == OperationKind::kPut) puts_[operation.value] = entries_.size();
  entry.key = operation.key;
  entry.operation.kind = ToKind(operation.kind);
  entry.operation.value = operation.value;
  entry.operation.condition = ToIf(operation.condition);
  entry.operation.if_version = operation.condition.version;
  entry.operation.if_value = operation.condition.value;
  entry.operation.called = world_.Stamp();
  entry.operation.who = who;
  entries_.push_back(std::move(entry));
  ++counts_.called;
  ++counts_.unknown;
  world_.Trace("called", 0, entries_.size(), Hash64(operation.key + operation.value));
  return entries_.size() - 1;
}

std::uint64_t History::Counted(const Operation& operation, const std::string& who) {
  const std::uint64_t handle = Called(operation, who);
  entries_[handle].counted_only = entries_[handle].dropped = true;
  return handle;
}

void History::Answered(std::uint64_t handle, const OperationResult& result) {
  Entry& entry = entries_[handle];
  if (entry.settled) return world_.Fail("an operation on " + entry.key + " was answered twice");
  entry.settled = true;
  world_.Trace("answered", 0, handle, static_cast<std::uint64_t>(result.code));
  if (entry.scan) SettlePage(entry, result);
  Settle(entry, result);
}

// In the order of their keys, none that was not asked for, no more than were.
void History::JudgePage(const Entry& scan, const OperationResult& result) {
  const std::vector<ScanRow>& rows = result.scan.rows;
  if (rows.size() > scan.limit) world_.Fail("a page holds more rows than were asked for");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0 && rows[i].key <= rows[i - 1].key) {
      world_.Fail("a page has " + rows[i].key + " after " + rows[i - 1].key);
    }
    const bool asked = std::any_of(scan.page.begin(), scan.page.end(), [&](std::uint64_t handle) {
      return entries_[handle].key == rows[i].key;
    });
    if (!asked) world_.Fail("a page holds " + rows[i].key + ", which nobody asked for");
  }
}

void History::SettlePage(const Entry& scan, const OperationResult& result) {
  if (result.code == Errc::kOk) JudgePage(scan, result);
  for (const std::uint64_t handle : scan.page) {
    Entry& entry = entries_[handle];
    entry.settled = true;
    if (result.code != Errc::kOk) continue;
    // What a page leaves out below its last row is absent; what is above it, nobody has said.
    const bool passed = result.scan.complete ||
                        (!result.scan.rows.empty() && entry.key < result.scan.rows.back().key);
    entry.dropped = !passed;
    entry.operation.answered = world_.Stamp();
    for (const ScanRow& row : result.scan.rows) {
      if (row.key != entry.key) continue;
      entry.dropped = false;
      entry.operation.read = row.value;
      entry.operation.version = row.version;
    }
  }
}

void History::JudgeStale(const Entry& entry, const OperationResult& result) {
  if (result.code != Errc::kOk) return;
  const auto put = puts_.find(result.read.value);
  if (put == puts_.end() || entries_[put->second].key != entry.key) {
    return world_.Fail("a stale read of " + entry.key + " made up " + result.read.value);
  }
  const linearizability::Operation& operation = entries_[put->second].operation;
  if (operation.answered && operation.version != result.read.version) {
    world_.Fail("a stale read of " + entry.key + " gave " + result.read.value + " another version");
  }
}

void History::Settle(Entry& entry, const OperationResult& result) {
  linearizability::Operation& operation = entry.operation;
  const bool read = operation.kind == Kind::kGet;
  const bool absent = read && result.code == Errc::kNotFound;
  const bool failed = !read && result.code == Errc::kPreconditionFailed;
  if (result.code != Errc::kOk && !absent && !failed) {
    if (!read && MaybeApplied(result.code)) return;  // open for ever
    entry.dropped = true;
    --counts_.unknown;
    ++counts_.refused;
    return;
  }
  --counts_.unknown;
  ++(failed ? counts_.condition_failed : counts_.ok);
  if (entry.scan || entry.counted_only) return;
  operation.answered = world_.Stamp();
  operation.condition_failed = failed;
  if (read) {
    if (!absent) operation.read = result.read.value;
    operation.version = absent ? 0 : result.read.version;
    entry.dropped = entry.stale || entry.dropped;
    if (entry.stale) return JudgeStale(entry, result);
    if (!absent) seen_[entry.key] = {result.read.value, result.read.version};
    return;
  }
  operation.version = result.command.version;
  if (failed) return;
  const bool put = operation.kind == Kind::kPut;
  operation.existed = put ? !result.command.created : result.command.created;
  if (put) seen_[entry.key] = {operation.value, operation.version};
}

void History::Check() {
  std::map<std::string, std::vector<linearizability::Operation>> by_key;
  for (const Entry& entry : entries_) {
    if (!entry.dropped) by_key[entry.key].push_back(entry.operation);
  }
  for (const auto& [key, operations] : by_key) {
    judged_ += operations.size();
    const linearizability::Answer answer = linearizability::CheckKey(operations);
    if (answer.verdict == linearizability::Verdict::kLinearizable) continue;
    world_.Fail("the history of key " + key + " does not fit: " + answer.detail);
  }
}

}  // namespace decree::sim

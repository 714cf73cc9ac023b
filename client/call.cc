#include "client/call.h"

namespace decree::detail {
namespace {

Status CheckKey(const std::string& key) {
  if (key.empty()) return Error(Errc::kInvalidArgument, "the key is empty");
  if (key.size() > kMaxKeyBytes) {
    return Error(Errc::kTooLarge, "the key has " + std::to_string(key.size()) +
                                      " bytes; the limit is " + std::to_string(kMaxKeyBytes));
  }
  return {};
}

Status CheckValue(const std::string& value) {
  if (value.size() <= kMaxValueBytes) return {};
  return Error(Errc::kTooLarge, "the value has " + std::to_string(value.size()) +
                                    " bytes; the limit is " + std::to_string(kMaxValueBytes));
}

// Condition and times of a write.
Status Apply(const WriteOptions& options, Operation& operation) {
  if (options.if_absent && options.if_version) {
    return Error(Errc::kInvalidArgument, "if_absent and if_version exclude each other");
  }
  if (options.ttl.count() < 0) return Error(Errc::kInvalidArgument, "the ttl is negative");
  if (options.if_absent) operation.condition.kind = ConditionKind::kAbsent;
  if (options.if_version) {
    operation.condition.kind = ConditionKind::kVersionIs;
    operation.condition.version = options.if_version->value;
  }
  operation.ttl_ms = static_cast<std::uint64_t>(options.ttl.count());
  operation.timeout = options.timeout;
  return {};
}

Error ToError(const OperationResult& result) {
  if (result.code != Errc::kPreconditionFailed) {
    return Error(result.code, result.detail.empty() ? result.command.detail : result.detail);
  }
  if (result.command.version == 0) return Error(result.code, "the key does not exist");
  return Error(result.code, "the key is at version " + std::to_string(result.command.version));
}

}  // namespace

Result<Operation> MakeGet(GetCall call) {
  if (auto ok = CheckKey(call.key); !ok) return ok.error();
  Operation operation;
  operation.kind = OperationKind::kGet;
  operation.key = std::move(call.key);
  operation.consistency = call.options.consistency;
  operation.timeout = call.options.timeout;
  return operation;
}

Result<Operation> MakePut(PutCall call) {
  if (auto ok = CheckKey(call.key); !ok) return ok.error();
  if (auto ok = CheckValue(call.value); !ok) return ok.error();
  Operation operation;
  operation.kind = OperationKind::kPut;
  operation.key = std::move(call.key);
  operation.value = std::move(call.value);
  if (auto ok = Apply(call.options, operation); !ok) return ok.error();
  return operation;
}

Result<Operation> MakeDel(DelCall call) {
  if (auto ok = CheckKey(call.key); !ok) return ok.error();
  if (call.options.if_absent || call.options.ttl.count() != 0) {
    return Error(Errc::kInvalidArgument, "a delete knows neither if_absent nor ttl");
  }
  Operation operation;
  operation.kind = OperationKind::kDelete;
  operation.key = std::move(call.key);
  if (auto ok = Apply(call.options, operation); !ok) return ok.error();
  return operation;
}

Result<Operation> MakeCas(CasCall call) {
  if (call.options.if_absent || call.options.if_version) {
    return Error(Errc::kInvalidArgument, "cas brings its own condition");
  }
  if (auto ok = CheckValue(call.expected); !ok) return ok.error();
  auto operation = MakePut({std::move(call.key), std::move(call.value), call.options});
  if (!operation) return operation;
  operation->condition.kind = ConditionKind::kValueIs;
  operation->condition.value = std::move(call.expected);
  return operation;
}

Result<KeyRange> MakeRange(ScanOptions options) {
  KeyRange range;
  range.prefix = std::move(options.prefix);
  range.start = std::move(options.start);
  range.end = std::move(options.end);
  range.after = std::move(options.after);
  range.limit = options.limit;
  range.keys_only = options.keys_only;
  range.consistency = options.read.consistency;
  if (const Status limits = CheckLimits(range); !limits) return limits.error();
  return range;
}

Result<Operation> MakeScan(ScanShardCall call) {
  const ScanOptions& options = call.options;
  if (!options.start.empty() || !options.end.empty() || options.keys_only) {
    return Error(Errc::kInvalidArgument, "start, end and keys_only are for Scan");
  }
  if (call.options.limit == 0) return Error(Errc::kInvalidArgument, "the limit is zero");
  Operation operation;
  operation.kind = OperationKind::kScan;
  operation.shard = ShardId{call.shard};
  operation.scan.prefix = std::move(call.options.prefix);
  operation.scan.after = std::move(call.options.after);
  operation.scan.limit = call.options.limit;
  operation.scan.consistency = call.options.read.consistency;
  operation.consistency = call.options.read.consistency;
  operation.timeout = call.options.read.timeout;
  return operation;
}

Result<Value> ToValue(OperationResult result) {
  if (result.code != Errc::kOk) return ToError(result);
  Value value;
  value.value = std::move(result.read.value);
  value.version = Version{result.read.version};
  if (result.read.expires_at_ms != 0) {
    value.expires_at =
        std::chrono::system_clock::time_point(milliseconds(result.read.expires_at_ms));
  }
  return value;
}

Result<Version> ToVersion(OperationResult result) {
  if (result.code != Errc::kOk) return ToError(result);
  return Version{result.command.version};
}

Result<bool> ToRemoved(OperationResult result) {
  if (result.code != Errc::kOk) return ToError(result);
  return result.command.created;
}

Result<ScanPage> ToScanPage(OperationResult result) {
  if (result.code != Errc::kOk) return ToError(result);
  ScanPage page;
  page.complete = result.scan.complete;
  page.rows.reserve(result.scan.rows.size());
  for (ScanRow& row : result.scan.rows) {
    page.rows.push_back({std::move(row.key), std::move(row.value), Version{row.version}});
  }
  return page;
}

}  // namespace decree::detail

// From the public calls to operations of kv/api, and back. Refuses what makes no sense before
// anything is sent.
#pragma once

#include "decree/client.h"
#include "kv/api/caller.h"
#include "kv/api/key_scan.h"

namespace decree::detail {

Result<Operation> MakeGet(GetCall call);
Result<Operation> MakePut(PutCall call);
Result<Operation> MakeDel(DelCall call);
Result<Operation> MakeCas(CasCall call);
Result<Operation> MakeScan(ScanShardCall call);
Result<KeyRange> MakeRange(ScanOptions options);

Result<Value> ToValue(OperationResult result);
Result<Version> ToVersion(OperationResult result);
Result<bool> ToRemoved(OperationResult result);
Result<ScanPage> ToScanPage(OperationResult result);

}  // namespace decree::detail

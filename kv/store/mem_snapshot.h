// Rows of a MemDisk as files, so that moves between MemDisks ship files in chunks as real ones do.
//
//   rows-<n>   codec of vector<pair<key, value>>, about 64 KiB each, in key order
//   MANIFEST   codec of MemManifest: names, sizes and XXH3-64 of the others
#pragma once

#include <map>
#include <memory>
#include <string>

#include "kv/store/engine.h"
#include "kv/store/mem_core.h"

namespace decree::store {

using MemFiles = std::map<std::string, std::string>;

MemFiles PackRows(const MemRows& rows);
// kCorruption, naming the file, unless the files are exactly what PackRows made.
Result<MemRows> UnpackRows(const MemFiles& files);
std::shared_ptr<SnapshotSource> MakeMemSnapshot(MemFiles files);

}  // namespace decree::store

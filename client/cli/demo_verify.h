// Everything read back and compared with what was put in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/demo_cluster.h"
#include "client/cli/progress.h"
#include "client/cli/rows.h"

namespace decree::cli {

struct Verdict {
  std::uint64_t compared = 0;
  std::uint64_t wrong = 0;
  std::vector<std::string> complaints;  // the first few

  void Complain(const std::string& what);
};

// Every record through the client.
Verdict VerifyRecords(Client& db, const std::vector<Record>& records, Progress& progress);
// `sample` records, spread over all, over HTTP from every node.
Verdict VerifyOverHttp(const std::vector<DemoNode>& nodes, const std::vector<Record>& records,
                       std::size_t sample, Progress& progress);
// The digests of all replicas of all shards.
Verdict VerifyDigests(Client& db, std::uint32_t shards, Progress& progress);

}  // namespace decree::cli

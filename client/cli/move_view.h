// How a move looks, wherever one is shown.
#pragma once

#include <string>
#include <vector>

#include "client/cli/output.h"

namespace decree::cli {

std::vector<std::string> MoveColumns();
std::vector<std::string> MoveRow(const json::value& move);
bool MoveEnded(const json::value& move);  // done or rolled_back
// "move 7: shard 3, 1 -> 4, catch_up, 1.2 MiB of 3.4 MiB, lag 12"
std::string MoveLine(const json::value& move);

}  // namespace decree::cli

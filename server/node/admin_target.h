// The target of an administration request, taken apart: "/v1/admin/nodes/3:drain?x=1" is the
// collection "nodes", the item "3", the action "drain".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "decree/result.h"

namespace decree::node {

struct AdminTarget {
  std::string collection;
  std::string item;    // empty: the collection itself
  std::string action;  // after the colon; empty: none
  std::map<std::string, std::string> query;
};

// kNotFound for what cannot be any target; kInvalidArgument for a query that is none.
Result<AdminTarget> ParseAdminTarget(std::string_view target);

// Decimal digits only, no sign, no overflow.
std::optional<std::uint64_t> ParseNumber(std::string_view digits);

}  // namespace decree::node

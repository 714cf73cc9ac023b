// How ids are written in log lines and errors, where people compare them with other pages.
#pragma once

#include <cstdio>
#include <string>

#include "kv/base/ids.h"

namespace decree::net {

// 16 hex digits, as GET /v1/admin/cluster has it.
inline std::string ClusterName(ClusterId cluster) {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(cluster.value));
  return text;
}

}  // namespace decree::net

#include "kv/base/check.h"

namespace decree {

void FailCheck(const char* condition, const char* file, int line, const std::string& detail) {
  std::string text = std::string("check failed: ") + condition + " at " + file + ":";
  text += std::to_string(line);
  if (!detail.empty()) text += ": " + detail;
  throw CheckFailure(text);
}

}  // namespace decree

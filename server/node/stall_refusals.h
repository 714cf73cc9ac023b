// How long a leader has refused writes because its rows take none: it hears the others well, so no
// election would ever relieve it. After a pause nobody knows, and counting begins anew. Pure.
#pragma once

#include <optional>

#include "kv/base/time.h"

namespace decree::node {

class StallRefusals {
 public:
  // A write is refused. True: that goes on for longer than `patience`, another should lead.
  bool Note(Instant now, Duration patience) {
    if (!last_ || now - *last_ > patience) since_ = now;
    last_ = now;
    return now - since_ > patience;
  }
  void End() { last_.reset(); }

 private:
  Instant since_;
  std::optional<Instant> last_;
};

}  // namespace decree::node

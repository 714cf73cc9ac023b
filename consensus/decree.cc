#include "consensus/decree.h"

namespace decree::consensus {

bool operator==(const Decree& a, const Decree& b) {
  return a.kind == b.kind && View(a.payload) == View(b.payload) && a.move == b.move &&
         a.member == b.member && a.next_voters == b.next_voters &&
         a.next_learners == b.next_learners;
}

}  // namespace decree::consensus

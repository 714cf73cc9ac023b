// Which threads run the callbacks of Decree: a node's workers, a client's loop. Waiting there for a
// callback can be waiting for oneself, or for somebody who waits for us.
#pragma once

namespace decree {

inline thread_local bool on_own_thread = false;  // set once, where such a thread begins

}  // namespace decree

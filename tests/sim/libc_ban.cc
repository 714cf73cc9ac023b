#include "tests/sim/libc_ban.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DECREE_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DECREE_SANITIZED
#endif
#endif

namespace decree::sim {
namespace {

thread_local int banned = 0;

void Say(const char* text) {
  // Nothing can be done about a failure here.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, std::strlen(text));
}

void Forbid(const char* name) {
  if (banned == 0) return;
  banned = 0;  // what follows may need it
  Say("decree-sim: ");
  Say(name);
  Say(" was called while the simulated world ran: no seed decides what it answers\n");
  void* frames[32];
  backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
  std::abort();
}

// The function that this program's own definition of the same name hides.
template <class Function>
Function* Hidden(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

LibcBan::LibcBan() { ++banned; }
LibcBan::~LibcBan() { --banned; }
LibcBanLifted::LibcBanLifted() : former_(banned) { banned = 0; }
LibcBanLifted::~LibcBanLifted() { banned = former_; }

}  // namespace decree::sim

// A program's own definitions take the place of libc's for its shared libraries, too, so that
// std::chrono's clocks come by here.
#define DECREE_BANNED(result, name, parameters, arguments)            \
  result name parameters {                                            \
    ::decree::sim::Forbid(#name);                                     \
    static const auto hidden = ::decree::sim::Hidden(&::name, #name); \
    return hidden arguments;                                          \
  }

extern "C" {

DECREE_BANNED(int, clock_gettime, (clockid_t clock, timespec* time) noexcept, (clock, time))
DECREE_BANNED(int, gettimeofday, (timeval* __restrict time, void* __restrict zone) noexcept,
              (time, zone))
DECREE_BANNED(int, timespec_get, (timespec * time, int base) noexcept, (time, base))
DECREE_BANNED(time_t, time, (time_t * out) noexcept, (out))
DECREE_BANNED(clock_t, clock, () noexcept, ())
DECREE_BANNED(int, nanosleep, (const timespec* time, timespec* left), (time, left))
DECREE_BANNED(int, clock_nanosleep,
              (clockid_t clock, int flags, const timespec* time, timespec* left),
              (clock, flags, time, left))
DECREE_BANNED(unsigned, sleep, (unsigned seconds), (seconds))
DECREE_BANNED(int, usleep, (useconds_t micros), (micros))
DECREE_BANNED(int, select,
              (int count, fd_set* __restrict in, fd_set* __restrict out, fd_set* __restrict bad,
               timeval* __restrict timeout),
              (count, in, out, bad, timeout))
DECREE_BANNED(int, epoll_wait, (int files, epoll_event* events, int most, int timeout),
              (files, events, most, timeout))
DECREE_BANNED(int, ppoll,
              (pollfd * files, nfds_t count, const timespec* timeout, const sigset_t* mask),
              (files, count, timeout, mask))
DECREE_BANNED(int, poll, (pollfd * files, nfds_t count, int timeout), (files, count, timeout))
DECREE_BANNED(int, rand, () noexcept, ())
DECREE_BANNED(long, random, () noexcept, ())
DECREE_BANNED(double, drand48, () noexcept, ())
DECREE_BANNED(long, lrand48, () noexcept, ())
DECREE_BANNED(long, mrand48, () noexcept, ())
DECREE_BANNED(std::uint32_t, arc4random, () noexcept, ())
DECREE_BANNED(void, arc4random_buf, (void* buffer, size_t size) noexcept, (buffer, size))
DECREE_BANNED(ssize_t, getrandom, (void* buffer, size_t size, unsigned flags),
              (buffer, size, flags))
DECREE_BANNED(int, getentropy, (void* buffer, size_t size), (buffer, size))

#ifndef DECREE_SANITIZED  // their runtimes must see every thread begin and wait
DECREE_BANNED(int, pthread_cond_clockwait,
              (pthread_cond_t* __restrict condition, pthread_mutex_t* __restrict mutex,
               clockid_t clock, const timespec* __restrict until),
              (condition, mutex, clock, until))
DECREE_BANNED(int, pthread_create,
              (pthread_t* __restrict thread, const pthread_attr_t* __restrict attributes,
               void* (*run)(void*), void* __restrict argument) noexcept,
              (thread, attributes, run, argument))
#endif

}  // extern "C"

// libstdc++ asks the processor itself, which no libc function would see.
std::random_device::result_type std::random_device::_M_getval() {
  decree::sim::Forbid("std::random_device");
  result_type word = 0;
  if (getrandom(&word, sizeof word, 0) != sizeof word) std::abort();
  return word;
}

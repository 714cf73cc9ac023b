#include "tests/sim/libc_ban.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <random>

#include "tests/sim/world.h"

namespace decree::sim {
namespace {

// The calls are made through here, so that no compiler drops one whose answer nobody wants.
volatile std::uint64_t answer = 0;

void InAWorld(const std::function<void()>& call) {
  World world(1);
  world.After(1, call);
  world.RunFor(10);
}

void ReadMonotonicClock() {
  answer = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}
void ReadWallClock() {
  answer = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
}
void AskForTime() { answer = static_cast<std::uint64_t>(std::time(nullptr)); }
void AskForTimeOfDay() {
  timeval time;
  answer = static_cast<std::uint64_t>(gettimeofday(&time, nullptr));
}
void AskForProcessorTime() { answer = static_cast<std::uint64_t>(std::clock()); }
void Sleep() {
  const timespec time{0, 1};
  answer = static_cast<std::uint64_t>(nanosleep(&time, nullptr));
}
void WaitForFiles() { answer = static_cast<std::uint64_t>(poll(nullptr, 0, 1)); }
void SleepMicros() { answer = static_cast<std::uint64_t>(usleep(1)); }
void WaitForAnyFile() {
  timeval time{0, 1};
  answer = static_cast<std::uint64_t>(select(0, nullptr, nullptr, nullptr, &time));
}
void WaitForEvents() {
  epoll_event event;
  answer = static_cast<std::uint64_t>(epoll_wait(-1, &event, 1, 0));
}
void WaitPrecisely() {
  const timespec time{0, 1};
  answer = static_cast<std::uint64_t>(ppoll(nullptr, 0, &time, nullptr));
}
void AskForTimeAsC() {
  timespec time;
  answer = static_cast<std::uint64_t>(std::timespec_get(&time, TIME_UTC));
}
void DrawDrand48() { answer = static_cast<std::uint64_t>(1000 * drand48()); }
void DrawLrand48() { answer = static_cast<std::uint64_t>(lrand48()); }
void DrawMrand48() { answer = static_cast<std::uint64_t>(mrand48()); }
void DrawArc4random() { answer = arc4random(); }
void DrawArc4randomBytes() {
  char byte;
  arc4random_buf(&byte, 1);
}
void DrawRand() { answer = static_cast<std::uint64_t>(std::rand()); }
void DrawFromTheSystem() {
  char byte;
  answer = static_cast<std::uint64_t>(getrandom(&byte, 1, 0));
}
void DrawFromTheDevice() { answer = std::random_device()(); }

struct Banned {
  const char* name;
  void (*call)();
};

class LibcBanDeathTest : public testing::TestWithParam<Banned> {};

TEST_P(LibcBanDeathTest, EndsARunThatCallsIt) {
  EXPECT_DEATH(InAWorld(GetParam().call),
               std::string(GetParam().name) + ".* was called while the simulated world ran");
}

TEST_P(LibcBanDeathTest, LeavesItAloneOutsideOfARun) {
  bool ran = false;
  GetParam().call();
  InAWorld([&] { ran = true; });
  GetParam().call();
  EXPECT_TRUE(ran);
}

INSTANTIATE_TEST_SUITE_P(
    Calls, LibcBanDeathTest,
    testing::Values(
        Banned{"clock_gettime", ReadMonotonicClock}, Banned{"clock_gettime", ReadWallClock},
        Banned{"time", AskForTime}, Banned{"gettimeofday", AskForTimeOfDay},
        Banned{"clock", AskForProcessorTime}, Banned{"timespec_get", AskForTimeAsC},
        Banned{"nanosleep", Sleep}, Banned{"usleep", SleepMicros}, Banned{"select", WaitForAnyFile},
        Banned{"epoll_wait", WaitForEvents}, Banned{"ppoll", WaitPrecisely},
        Banned{"poll", WaitForFiles}, Banned{"rand", DrawRand}, Banned{"drand48", DrawDrand48},
        Banned{"lrand48", DrawLrand48}, Banned{"mrand48", DrawMrand48},
        Banned{"arc4random", DrawArc4random}, Banned{"arc4random_buf", DrawArc4randomBytes},
        Banned{"getrandom", DrawFromTheSystem}, Banned{"random_device", DrawFromTheDevice}));

TEST(LibcBanTest, AnExceptionIsMadeInSoManyWords) {
  bool ran = false;
  InAWorld([&] {
    const LibcBanLifted lifted;
    ReadMonotonicClock();
    ran = true;
  });
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace decree::sim

#include "server/service_notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <future>
#include <map>

namespace decree {
namespace {

// A service manager's end: a socket under this name.
class Manager {
 public:
  explicit Manager(std::string name) : name_(std::move(name)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name_.copy(address.sun_path, name_.size());
    if (name_[0] == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&address), length), 0);
  }
  ~Manager() {
    close(socket_);
    if (name_[0] == '/') std::remove(name_.c_str());
  }
  // The next datagram; empty: none has come.
  std::string Next() const {
    char text[200];
    const ssize_t size = recv(socket_, text, sizeof text, MSG_DONTWAIT);
    return size < 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
  }

 private:
  std::string name_;
  int socket_ = socket(AF_UNIX, SOCK_DGRAM, 0);
};

class ServiceNotifyTest : public testing::Test {
 protected:
  Environment Given() const {
    return [this](const char* name) {
      const auto found = environment.find(name);
      return found == environment.end() ? nullptr : found->second.c_str();
    };
  }
  std::map<std::string, std::string> environment;
  const std::string file = testing::TempDir() + "decree-notify-" + std::to_string(getpid());
  const std::string abstract = "@decree-notify-" + std::to_string(getpid());
};

TEST_F(ServiceNotifyTest, SaysWhatTheManagerWaitsFor) {
  for (const std::string& name : {file, abstract}) {
    const Manager manager(name);
    environment["NOTIFY_SOCKET"] = name;
    ServiceNotify notify(Given());
    notify.Ready("node 1");
    notify.Alive();
    notify.Stopping();
    EXPECT_EQ(manager.Next(), "READY=1\nSTATUS=node 1") << name;
    EXPECT_EQ(manager.Next(), "WATCHDOG=1");
    EXPECT_EQ(manager.Next(), "STOPPING=1");
    EXPECT_EQ(manager.Next(), "");
  }
}

TEST_F(ServiceNotifyTest, WithoutAManagerNothingIsSent) {
  for (const char* name : {"", "relative", "/no/such/folder/socket"}) {
    environment["NOTIFY_SOCKET"] = name;
    ServiceNotify notify(Given());
    notify.Ready("nobody hears it");
  }
  environment["NOTIFY_SOCKET"] = "/" + std::string(200, 'x');
  ServiceNotify(Given()).Stopping();
}

TEST_F(ServiceNotifyTest, TheWatchdogIsMeantForOneProcess) {
  environment["NOTIFY_SOCKET"] = file;
  EXPECT_FALSE(ServiceNotify(Given()).watchdog());
  environment["WATCHDOG_USEC"] = "30000000";
  EXPECT_EQ(ServiceNotify(Given()).watchdog(), Duration(30s));
  environment["WATCHDOG_PID"] = std::to_string(getpid());
  EXPECT_EQ(ServiceNotify(Given()).watchdog(), Duration(30s));
  environment["WATCHDOG_PID"] = "1";
  EXPECT_FALSE(ServiceNotify(Given()).watchdog());
  environment.erase("WATCHDOG_PID");
  for (const char* wrong : {"0", "soon", "-1", "1s"}) {
    environment["WATCHDOG_USEC"] = wrong;
    EXPECT_FALSE(ServiceNotify(Given()).watchdog()) << wrong;
  }
}

TEST(WorkersPulseTest, StopsWhileAWorkerDoesNotGetToItsWork) {
  std::string dir = testing::TempDir() + "decree-pulse-XXXXXX";
  ASSERT_NE(mkdtemp(dir.data()), nullptr);
  net::ServerOptions options;
  options.dirs = {dir};
  options.shards = 1;
  options.workers = 2;
  auto server = net::Server::Open(std::move(options));
  ASSERT_TRUE(server) << server.error().ToString();
  WorkersPulse pulse(**server);
  // Whether all have answered by the time that this worker gets to a task of ours.
  const auto all_beat = [&] {
    for (std::size_t i = 0; i < (*server)->workers(); ++i) {
      std::promise<void> reached;
      (*server)->executor(i).Post([&] { reached.set_value(); });
      reached.get_future().wait();
    }
    return pulse.Beat();
  };
  EXPECT_TRUE(pulse.Beat());
  EXPECT_TRUE(all_beat());
  EXPECT_TRUE(all_beat());
  std::promise<void> freed;
  std::promise<void> stuck;
  (*server)->executor(1).Post([&] {
    stuck.set_value();
    freed.get_future().wait();
  });
  stuck.get_future().wait();
  pulse.Beat();  // asked before it was stuck, or now
  EXPECT_FALSE(pulse.Beat());
  EXPECT_FALSE(pulse.Beat());
  freed.set_value();
  EXPECT_TRUE(all_beat());
  server->reset();
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace decree

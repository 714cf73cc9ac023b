#include "server/service_notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace decree {
namespace {

std::optional<std::uint64_t> NumberIn(const char* text) {
  if (text == nullptr) return std::nullopt;
  std::uint64_t number = 0;
  const char* end = text + std::strlen(text);
  const auto [at, bad] = std::from_chars(text, end, number);
  if (bad != std::errc() || at != end) return std::nullopt;
  return number;
}

}  // namespace

ServiceNotify::ServiceNotify(const Environment& environment) {
  const char* address = environment("NOTIFY_SOCKET");
  if (address == nullptr || (address[0] != '/' && address[0] != '@')) return;
  address_ = address;
  if (address_.size() >= sizeof(sockaddr_un::sun_path)) return;
  if (address_[0] == '@') address_[0] = '\0';  // a name of no file
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto micros = NumberIn(environment("WATCHDOG_USEC"));
  const auto pid = NumberIn(environment("WATCHDOG_PID"));
  const bool ours = !pid || *pid == static_cast<std::uint64_t>(::getpid());
  if (micros && *micros > 0 && ours) watchdog_ = std::chrono::microseconds(*micros);
}

ServiceNotify::~ServiceNotify() {
  if (socket_ >= 0) ::close(socket_);
}

// What is said once waits until the manager has room for it; what is said again does not.
void ServiceNotify::Ready(const std::string& status) { Send("READY=1\nSTATUS=" + status, 0); }
void ServiceNotify::Stopping() { Send("STOPPING=1", 0); }
void ServiceNotify::Alive() { Send("WATCHDOG=1", MSG_DONTWAIT); }

// A manager that does not take it is no reason to stop.
void ServiceNotify::Send(const std::string& lines, int flags) const {
  if (socket_ < 0) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::copy(address_.begin(), address_.end(), to.sun_path);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  (void)::sendto(socket_, lines.data(), lines.size(), MSG_NOSIGNAL | flags,
                 reinterpret_cast<const sockaddr*>(&to), length);
}

bool WorkersPulse::Beat() {
  if (*unanswered_ != 0) return false;
  *unanswered_ = server_.workers();
  for (std::size_t i = 0; i < server_.workers(); ++i) {
    server_.executor(i).Post([unanswered = unanswered_] { --*unanswered; });
  }
  return true;
}

}  // namespace decree

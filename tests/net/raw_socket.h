// A blocking TCP socket without manners: sends any bytes, reads what comes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace decree::net {

class RawSocket {
 public:
  // `receive_bytes`: how much the kernel takes in before anybody reads; 0: as usual.
  explicit RawSocket(std::uint16_t port, int receive_bytes = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_bytes != 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawSocket() { ::close(fd_); }
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  bool connected() const { return connected_; }
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void FinishSending() { ::shutdown(fd_, SHUT_WR); }

  // Reads until `enough` of what was read so far, or the end of the stream.
  template <class Enough>
  std::string ReadUntil(Enough enough) {
    std::string& held = held_;
    while (!enough(held)) {
      char chunk[65536];
      const ssize_t got = ::recv(fd_, chunk, sizeof chunk, 0);
      if (got <= 0) {
        ended_ = got == 0;
        break;
      }
      held.append(chunk, static_cast<std::size_t>(got));
    }
    return held;
  }
  std::string ReadToEnd() {
    return ReadUntil([](const std::string&) { return false; });
  }
  bool ended() const { return ended_; }  // the other side closed it, in good order

 private:
  int fd_;
  bool connected_ = false;
  bool ended_ = false;
  std::string held_;
};

}  // namespace decree::net

#include "server/net/frame_link.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace decree::net {
namespace {

constexpr std::size_t kFirstBuffer = std::size_t{16} << 10;   // an idle link stays small
constexpr std::size_t kUsualBuffer = std::size_t{128} << 10;  // a busy one reads in large pieces
constexpr std::size_t kLargestBuffer = kFrameHeaderBytes + kMaxFramePayload;
constexpr std::size_t kKeptWriteBuffer = std::size_t{1} << 20;
constexpr Duration kUserTimeout = 5s;  // a peer that vanished must not be waited for

}  // namespace

void TuneSocket(tcp::socket& socket, Duration user_timeout) {
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  const auto ms = static_cast<unsigned>(
      std::chrono::duration_cast<std::chrono::milliseconds>(user_timeout).count());
  setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

FrameLink::FrameLink(tcp::socket socket, std::shared_ptr<Owner> owner, Outbox& outbox)
    : socket_(std::move(socket)),
      owner_(std::move(owner)),
      outbox_(outbox),
      buffer_(std::make_unique_for_overwrite<char[]>(kFirstBuffer)),
      size_(kFirstBuffer) {
  boost::system::error_code error;
  const auto remote = socket_.remote_endpoint(error);
  if (!error) remote_ = remote.address().to_string() + ":" + std::to_string(remote.port());
  TuneSocket(socket_, kUserTimeout);
}

void FrameLink::Start(std::string first) {
  writing_ = std::move(first);
  Write();
  Read();
}

void FrameLink::OpenOutbox() {
  outbox_open_ = true;
  Kick();
}

void FrameLink::Kick() {
  if (closed_ || write_busy_ || !outbox_open_) return;
  if (outbox_.Take(writing_)) Write();
}

void FrameLink::Write() {
  write_busy_ = true;
  asio::async_write(socket_, asio::buffer(writing_),
                    [self = shared_from_this()](boost::system::error_code error, std::size_t) {
                      self->write_busy_ = false;
                      if (error) return self->Fail("write: " + error.message());
                      if (self->writing_.capacity() > kKeptWriteBuffer) {
                        std::string().swap(self->writing_);
                      }
                      self->Kick();
                      self->Resume();  // the owner may have paused until this was written
                    });
}

void FrameLink::Read() {
  if (closed_ || read_busy_ || parsing_ || !owner_->MayRead()) return;
  MakeRoom();
  read_busy_ = true;
  socket_.async_read_some(
      asio::buffer(buffer_.get() + end_, size_ - end_),
      [self = shared_from_this()](boost::system::error_code error, std::size_t size) {
        self->read_busy_ = false;
        if (error == asio::error::eof) return self->Fail("the other side closed it");
        if (error) return self->Fail("read: " + error.message());
        self->OnRead(size);
      });
}

// Moves what is unparsed to the front; grows while reads fill the buffer, and at once to the size
// of a frame that is larger.
void FrameLink::MakeRoom() {
  const std::size_t held = end_ - begin_;
  const std::size_t frame = FrameBytes({buffer_.get() + begin_, held});
  const bool full = end_ == size_ && size_ < kUsualBuffer;
  std::size_t size = size_;
  if (full || held == size_) size = 2 * size_;
  if (held == 0 && size > kUsualBuffer) size = kUsualBuffer;
  if (frame > size) size = frame + kUsualBuffer;
  size = std::min(size, kLargestBuffer);
  if (size != size_) {
    auto next = std::make_unique_for_overwrite<char[]>(size);
    std::memcpy(next.get(), buffer_.get() + begin_, held);
    buffer_.swap(next);
    size_ = size;
  } else if (begin_ != 0 && held != 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, held);
  }
  begin_ = 0;
  end_ = held;
}

void FrameLink::OnRead(std::size_t size) {
  if (closed_) return;
  end_ += size;
  ParseAll();
  Read();
}

void FrameLink::ParseAll() {
  const auto owner = owner_;  // Close lets go of it
  parsing_ = true;
  while (!closed_ && owner->MayRead()) {
    Frame frame;
    std::size_t consumed = 0;
    const FrameState state = ParseFrame({buffer_.get() + begin_, end_ - begin_}, &frame, &consumed);
    if (state == FrameState::kIncomplete) break;
    if (state == FrameState::kBad) {
      Fail("what came is no frame of Decree's protocol");
      break;
    }
    begin_ += consumed;
    owner->OnFrame(frame);
  }
  parsing_ = false;
  owner->OnReadDone();
}

void FrameLink::Resume() {
  if (closed_ || read_busy_ || parsing_) return;
  const auto self = shared_from_this();  // the owner may let go of it while frames are handled
  ParseAll();
  Read();
}

void FrameLink::Close() {
  if (std::exchange(closed_, true)) return;
  boost::system::error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  owner_.reset();
}

void FrameLink::Fail(const std::string& reason) {
  if (closed_) return;
  const auto owner = owner_;
  Close();
  owner->OnClosed(reason);
}

}  // namespace decree::net

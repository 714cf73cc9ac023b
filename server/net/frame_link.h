// One connection that carries frames: one buffered reader that parses all that a read brought, one
// writer that sends all that waited. Lives on one worker; its owner decides what frames mean.
#pragma once

#include <memory>
#include <string>

#include "kv/base/frame.h"
#include "server/net/asio.h"
#include "server/net/outbox.h"
#include "server/net/worker.h"

namespace decree::net {

class FrameLink : public std::enable_shared_from_this<FrameLink> {
 public:
  // All calls come on the link's worker.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void OnFrame(const Frame& frame) = 0;  // may Close the link
    virtual void OnReadDone() {}                   // after the frames of one read
    virtual bool MayRead() { return true; }        // false: paused until Resume (back-pressure)
    virtual void OnClosed(const std::string& reason) = 0;  // once, not after Close by the owner
  };

  // The link keeps its owner alive until it is closed.
  FrameLink(tcp::socket socket, std::shared_ptr<Owner> owner, Outbox& outbox);

  void Start(std::string first);  // writes `first` (a Hello) before anything from the outbox
  void OpenOutbox();              // from now on the outbox is written too
  void Kick();                    // something is in the outbox
  void Resume();
  void Close();
  bool writing() const { return write_busy_; }
  std::string remote() const { return remote_; }

 private:
  void Read();
  void OnRead(std::size_t size);
  void ParseAll();
  void MakeRoom();
  void Write();
  void Fail(const std::string& reason);

  tcp::socket socket_;
  std::shared_ptr<Owner> owner_;
  Outbox& outbox_;  // the owner's
  std::string remote_;
  std::unique_ptr<char[]> buffer_;
  std::size_t size_ = 0;   // of the buffer
  std::size_t begin_ = 0;  // [begin_, end_) is read and not yet parsed
  std::size_t end_ = 0;
  std::string writing_;
  bool write_busy_ = false;
  bool outbox_open_ = false;
  bool read_busy_ = false;
  bool parsing_ = false;
  bool closed_ = false;
};

// Small writes must not wait, and whoever acknowledges nothing for so long is taken for gone.
void TuneSocket(tcp::socket& socket, Duration user_timeout);

}  // namespace decree::net

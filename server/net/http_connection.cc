#include "server/net/http_connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "server/net/frame_link.h"

namespace decree::net {
namespace {

constexpr std::size_t kFirstBuffer = std::size_t{8} << 10;
constexpr std::size_t kLargestBuffer = std::size_t{128} << 10;
constexpr std::size_t kPipeline = 32;
constexpr std::size_t kUnwritten = std::size_t{4} << 20;  // above it nothing more is read
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

HttpConnection::HttpConnection(Acceptor::Accepted accepted, HttpRoutes& routes,
                               const HttpTuning& tuning, const std::string& date,
                               std::function<void(HttpConnection*)> on_end)
    : worker_(accepted.worker),
      routes_(routes),
      metrics_(routes.metrics(accepted.worker.index())),
      tuning_(tuning),
      date_(date),
      on_end_(std::move(on_end)),
      ticket_(std::move(accepted.ticket)),
      socket_(std::move(accepted.socket)),
      buffer_(kFirstBuffer) {}

void HttpConnection::Start() {
  TuneSocket(socket_);
  ++metrics_.connections;
  SetPhase(Phase::kIdle, tuning_.idle_timeout);
  Read();
}

void HttpConnection::SetPhase(Phase phase, Duration limit) {
  phase_ = phase;
  deadline_ = worker_.Now() + limit;
}

// ---- requests in ----

// Does whatever can be done now; everything that changes something ends here.
void HttpConnection::Pump() {
  if (pumping_ || phase_ == Phase::kClosed) return;
  const auto self = shared_from_this();
  pumping_ = true;
  if (phase_ != Phase::kLingering) Parse();
  pumping_ = false;
  Flush();
  if (Quiet()) {
    if (last_seen_) return Linger();
    if (peer_done_ || draining_) return Close();
  }
  Read();
}

void HttpConnection::Parse() {
  for (;;) {
    MoveAnswers();
    if (held_) {
      if (!MayDispatch()) return;
      Dispatch();
      continue;
    }
    if (last_seen_ || begin_ == end_ || out_.size() > kUnwritten) return;
    const std::size_t before = begin_;
    ParseSome();
    if (!held_ && begin_ == before) return;
  }
}

void HttpConnection::ParseSome() {
  if (!parser_) {
    // An empty line before a request is forgiven (RFC 9112, 2.2).
    while (begin_ < end_ && (buffer_[begin_] == '\r' || buffer_[begin_] == '\n')) ++begin_;
    if (begin_ == end_) return;
    parser_.emplace(tuning_.limits);
    SetPhase(Phase::kHeader, tuning_.header_timeout);
  }
  const bool header_before = parser_->header_done();
  const HttpParser::Fed fed = parser_->Feed({buffer_.data() + begin_, end_ - begin_});
  begin_ += fed.used;
  if (fed.state == HttpParser::State::kRefused) return Refuse(parser_->refusal());
  if (fed.state == HttpParser::State::kDone) {
    held_ = parser_->TakeRequest();
    parser_.reset();
    continue_due_ = false;
    return;
  }
  if (!header_before && parser_->header_done()) {
    SetPhase(Phase::kBody, tuning_.body_timeout);
    continue_due_ = parser_->expects_continue();
    MoveAnswers();
  }
}

bool HttpConnection::MayDispatch() const {
  if (slots_.empty()) return true;
  return held_->safe() && slots_.size() < kPipeline &&
         std::all_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.safe; });
}

void HttpConnection::Dispatch() {
  HttpRequest request = std::move(*held_);
  held_.reset();
  Slot slot;
  slot.safe = request.safe();
  slot.framing.head = request.verb == Verb::kHead;
  slot.framing.keep_alive = request.keep_alive && !draining_;
  slot.framing.http10 = request.http10;
  last_seen_ = !slot.framing.keep_alive;
  const std::uint64_t sequence = first_sequence_ + slots_.size();
  slots_.push_back(std::move(slot));
  ReturnToIdle();
  routes_.Handle(worker_.index(), std::move(request),
                 [self = shared_from_this(), sequence](HttpResponse response) {
                   self->Complete(sequence, std::move(response));
                 });
}

void HttpConnection::ReturnToIdle() {
  if (phase_ == Phase::kHeader || phase_ == Phase::kBody) {
    SetPhase(Phase::kIdle, tuning_.idle_timeout);
  }
}

void HttpConnection::Complete(std::uint64_t sequence, HttpResponse response) {
  if (phase_ == Phase::kClosed) return;
  Slot& slot = slots_[sequence - first_sequence_];
  slot.response = std::move(response);
  slot.ready = true;
  Pump();
}

// What came cannot be followed by anything: it is answered after all before it, then the end.
void HttpConnection::Refuse(const HttpResponse& response) {
  Slot slot;
  slot.ready = true;
  slot.framing.keep_alive = false;
  slot.response = response;
  slots_.push_back(std::move(slot));
  parser_.reset();
  continue_due_ = false;
  last_seen_ = true;
  refused_ = true;
  begin_ = end_;
  ReturnToIdle();
}

// ---- answers out ----

void HttpConnection::MoveAnswers() {
  bool moved = false;
  while (!slots_.empty() && slots_.front().ready) {
    AppendAnswer(slots_.front());
    slots_.pop_front();
    ++first_sequence_;
    moved = true;
  }
  if (moved && phase_ == Phase::kIdle) SetPhase(Phase::kIdle, tuning_.idle_timeout);
  if (slots_.empty() && std::exchange(continue_due_, false)) out_ += kContinue;
}

void HttpConnection::AppendAnswer(const Slot& slot) {
  Framing framing = slot.framing;
  framing.date = date_;
  if (slot.response.close || draining_) framing.keep_alive = false;
  if (!framing.keep_alive) last_seen_ = true;
  const auto status = static_cast<std::size_t>(slot.response.status);
  if (status < metrics_.by_status.size()) ++metrics_.by_status[status];
  AppendResponse(out_, slot.response, framing);
}

void HttpConnection::Flush() {
  if (write_busy_ || out_.empty() || phase_ == Phase::kClosed) return;
  writing_.swap(out_);
  out_.clear();
  written_ = 0;
  write_busy_ = true;
  WriteSome();
}

void HttpConnection::WriteSome() {
  write_deadline_ = worker_.Now() + tuning_.write_timeout;
  socket_.async_write_some(
      asio::buffer(writing_.data() + written_, writing_.size() - written_),
      [self = shared_from_this()](boost::system::error_code error, std::size_t size) {
        if (self->phase_ == Phase::kClosed) return;
        if (error) return self->Close();
        self->metrics_.bytes_out += size;
        self->written_ += size;
        if (self->written_ < self->writing_.size()) return self->WriteSome();
        self->write_busy_ = false;
        self->write_deadline_ = kNever;
        if (self->writing_.capacity() > kUnwritten) std::string().swap(self->writing_);
        self->Pump();
      });
}

// ---- the socket ----

void HttpConnection::Read() {
  if (read_busy_ || peer_done_ || phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kLingering) {
    begin_ = end_ = 0;
  } else if (held_ || last_seen_ || out_.size() > kUnwritten) {
    return;
  }
  MakeRoom();
  read_busy_ = true;
  socket_.async_read_some(
      asio::buffer(buffer_.data() + end_, buffer_.size() - end_),
      [self = shared_from_this()](boost::system::error_code error, std::size_t size) {
        self->read_busy_ = false;
        self->OnRead(error, size);
      });
}

void HttpConnection::MakeRoom() {
  const std::size_t held = end_ - begin_;
  const bool full = end_ == buffer_.size();
  if ((full || held == buffer_.size()) && buffer_.size() < kLargestBuffer) {
    std::vector<char> next(buffer_.size() * 2);
    std::memcpy(next.data(), buffer_.data() + begin_, held);
    buffer_.swap(next);
  } else if (begin_ != 0 && held != 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, held);
  }
  begin_ = 0;
  end_ = held;
}

void HttpConnection::OnRead(boost::system::error_code error, std::size_t size) {
  if (phase_ == Phase::kClosed) return;
  metrics_.bytes_in += size;
  if (error) {
    // A client that finished sending still gets its answers; one that vanished does not.
    if (error != asio::error::eof || phase_ == Phase::kLingering) return Close();
    peer_done_ = true;
    return Pump();
  }
  end_ += size;
  if (phase_ == Phase::kLingering) return Read();
  Pump();
}

bool HttpConnection::Quiet() const {
  return slots_.empty() && !held_ && out_.empty() && !write_busy_ &&
         (!draining_ || !parser_ || last_seen_ || peer_done_);
}

// The last answer is on its way. Closing with unread bytes would reset the connection and take the
// answer with it, so what the client still sends is read and dropped for a while.
void HttpConnection::Linger() {
  if (phase_ == Phase::kLingering) return Read();
  boost::system::error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  if (peer_done_) return Close();
  SetPhase(Phase::kLingering, refused_ ? tuning_.refused_timeout : tuning_.linger_timeout);
  Read();
}

void HttpConnection::Drain() {
  draining_ = true;
  Pump();
}

void HttpConnection::Close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  --metrics_.connections;
  boost::system::error_code ignored;
  socket_.close(ignored);
  ticket_.reset();
  on_end_(this);
}

void HttpConnection::Sweep(Instant now) {
  if (phase_ == Phase::kClosed) return;
  if (now >= write_deadline_) return Close();
  if (now < deadline_) return;
  const bool waiting = !slots_.empty() || held_ || write_busy_;
  if (phase_ == Phase::kLingering) return Close();
  if (phase_ == Phase::kIdle) {
    if (!waiting) Close();
    return;
  }
  if (waiting) return;  // it is us who are slow: the request is read when its turn comes
  Refuse(ToResponse(
      {408, ErrcName(Errc::kDeadlineExceeded),
       phase_ == Phase::kHeader ? "the header took too long" : "the body took too long"}));
  Pump();
}

}  // namespace decree::net

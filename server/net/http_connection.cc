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
constexpr std::size_t kLargestAnswer = (std::size_t{1} << 20) + 1024;  // a value and its header
constexpr std::size_t kSmallAnswer = std::size_t{4} << 10;  // is given however much is held
constexpr std::size_t kKeptBuffer = std::size_t{64} << 10;  // of a connection that has written all
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

HttpConnection::HttpConnection(Acceptor::Accepted accepted, HttpRoutes& routes,
                               const HttpTuning& tuning, HttpHeld& all_held,
                               const std::string& date, std::function<void(HttpConnection*)> on_end)
    : worker_(accepted.worker),
      routes_(routes),
      metrics_(routes.metrics(accepted.worker.index())),
      tuning_(tuning),
      all_held_(all_held),
      date_(date),
      on_end_(std::move(on_end)),
      ticket_(std::move(accepted.ticket)),
      socket_(std::move(accepted.socket)),
      buffer_(kFirstBuffer) {}

void HttpConnection::Start() {
  TuneSocket(socket_, tuning_.write_timeout);  // it may read slowly
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
  Account();
  Flush();
  if (Quiet()) {
    if (last_seen_ && !(draining_ && NothingToRead())) return Linger();
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
    if (last_seen_ || begin_ == end_ || !HasRoom(1)) return;
    const std::size_t before = begin_;
    ParseSome();
    if (held_ || begin_ != before) continue;
    if (end_ - begin_ < kLargestBuffer) return;
    // The buffer is full of something the parser wants to see the end of.
    const bool in_body = parser_ && parser_->header_done();
    Refuse(in_body ? BadRequest("the line before a chunk, or a trailer, has no end")
                   : ToResponse({431, "too_large", "the header has no end"}));
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
  if (slots_.empty()) return HasRoom(1);
  const auto under_way =
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.ready; });
  return held_->safe() && slots_.size() < kPipeline &&
         HasRoom(static_cast<std::size_t>(under_way) + 1) &&
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
  if (Overloaded(slot, response)) {
    response = ErrorResponse(Errc::kBusy, "too many answers wait for clients that do not read");
  }
  ready_bytes_ += response.body.size();
  slot.response = std::move(response);
  slot.ready = true;
  Account();
  Pump();
}

// ---- what is held ----

std::size_t HttpConnection::Held() const {
  return out_.size() + writing_.size() - written_ + ready_bytes_;
}

// A connection that holds nothing has room for one answer, whatever the others hold.
bool HttpConnection::HasRoom(std::size_t reads) const {
  const std::size_t held = Held();
  if (held == 0 && reads == 1) return true;
  return all_held_.bytes < tuning_.worker_bytes &&
         held + reads * kLargestAnswer <= tuning_.connection_bytes;
}

void HttpConnection::Account() {
  const std::size_t held = phase_ == Phase::kClosed ? 0 : Held();
  all_held_.bytes += held - accounted_;
  accounted_ = held;
}

// Only what was read can be refused after the fact.
bool HttpConnection::Overloaded(const Slot& slot, const HttpResponse& response) const {
  return slot.safe && response.body.size() > kSmallAnswer &&
         all_held_.bytes + response.body.size() > tuning_.worker_bytes;
}

// What came cannot be followed by anything: it is answered after all before it, then the end.
void HttpConnection::Refuse(const HttpResponse& response) {
  Slot slot;
  slot.ready = true;
  slot.framing.keep_alive = false;
  slot.response = response;
  ready_bytes_ += slot.response.body.size();
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
    ready_bytes_ -= slots_.front().response.body.size();
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
        if (self->written_ < self->writing_.size()) {
          self->Account();
          return self->WriteSome();
        }
        self->OnWritten();
      });
}

void HttpConnection::OnWritten() {
  write_busy_ = false;
  write_deadline_ = kNever;
  writing_.clear();
  written_ = 0;
  if (writing_.capacity() > kKeptBuffer) std::string().swap(writing_);
  Pump();
}

// ---- the socket ----

void HttpConnection::Read() {
  if (read_busy_ || peer_done_ || phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kLingering) {
    begin_ = end_ = 0;
  } else if (held_ || last_seen_ || !HasRoom(1)) {
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

// A request that came before the door closed is in flight, even if it was not read yet.
bool HttpConnection::Quiet() const {
  if (draining_ && !last_seen_ && !peer_done_ && !NothingToRead()) return false;
  return slots_.empty() && !held_ && out_.empty() && !write_busy_ &&
         (!draining_ || !parser_ || last_seen_ || peer_done_);
}

bool HttpConnection::NothingToRead() const {
  boost::system::error_code ignored;
  return socket_.available(ignored) == 0;
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
  Account();
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

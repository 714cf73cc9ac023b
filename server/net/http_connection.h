// One HTTP connection: reads what comes, runs requests, writes answers in the order of the
// requests. Safe requests of a pipeline run side by side, others wait for those before them.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/net/acceptor_impl.h"
#include "server/net/http_message.h"
#include "server/net/http_parser.h"
#include "server/net/http_routes.h"

namespace decree::net {

struct HttpTuning {
  HttpLimits limits;
  Duration header_timeout = 5s;
  Duration body_timeout = 30s;
  Duration idle_timeout = 60s;
  Duration write_timeout = 30s;    // without progress
  Duration linger_timeout = 5s;    // for the other side to read the last answer
  Duration refused_timeout = 30s;  // for it to stop sending what was refused
  Duration sweep_every = 1s;
  // Answers that were not written yet. Above it a connection starts no more requests, each read
  // that is under way counted at its largest answer.
  std::size_t connection_bytes = std::size_t{8} << 20;
  // Of all connections of a worker: above it large answers become 429.
  std::size_t worker_bytes = std::size_t{64} << 20;
};

// What all connections of a worker hold of answers that were not written yet.
struct HttpHeld {
  std::size_t bytes = 0;
};

class HttpConnection final : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(Acceptor::Accepted accepted, HttpRoutes& routes, const HttpTuning& tuning,
                 HttpHeld& all_held, const std::string& date,
                 std::function<void(HttpConnection*)> on_end);

  // All on the connection's worker.
  void Start();
  void Sweep(Instant now);
  void Drain();  // answers what is there, then closes
  void Close();

 private:
  enum class Phase { kIdle, kHeader, kBody, kLingering, kClosed };
  struct Slot {
    bool ready = false;
    bool safe = false;
    Framing framing;
    HttpResponse response;
  };

  void Pump();
  void Parse();
  void ParseSome();
  bool MayDispatch() const;
  void Dispatch();
  void Complete(std::uint64_t sequence, HttpResponse response);
  void Refuse(const HttpResponse& response);
  void MoveAnswers();
  void AppendAnswer(const Slot& slot);
  std::size_t Held() const;               // bytes of answers not written yet
  bool HasRoom(std::size_t reads) const;  // for so many more answers of the largest size
  void Account();                         // tells all_held_ what this connection holds
  bool Overloaded(const Slot& slot, const HttpResponse& response) const;
  void SetPhase(Phase phase, Duration limit);
  void ReturnToIdle();

  void Read();
  void OnRead(boost::system::error_code error, std::size_t size);
  void MakeRoom();
  void Flush();
  void WriteSome();
  void OnWritten();
  bool Quiet() const;          // nothing in progress, nothing to write
  bool NothingToRead() const;  // by now
  void Linger();

  Worker& worker_;
  HttpRoutes& routes_;
  HttpMetrics& metrics_;
  const HttpTuning& tuning_;
  HttpHeld& all_held_;
  const std::string& date_;  // of the worker, renewed each second
  const std::function<void(HttpConnection*)> on_end_;
  std::shared_ptr<void> ticket_;
  tcp::socket socket_;

  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool read_busy_ = false;
  bool peer_done_ = false;  // the client sends no more

  std::optional<HttpParser> parser_;
  std::optional<HttpRequest> held_;  // complete, waits for its turn
  bool continue_due_ = false;
  bool last_seen_ = false;  // no request after this one
  bool refused_ = false;
  bool draining_ = false;
  bool pumping_ = false;
  Phase phase_ = Phase::kIdle;
  Instant deadline_{};

  std::deque<Slot> slots_;
  std::uint64_t first_sequence_ = 0;  // of slots_.front()
  std::size_t ready_bytes_ = 0;       // of answers in slots_
  std::size_t accounted_ = 0;         // in all_held_

  std::string out_;
  std::string writing_;
  std::size_t written_ = 0;
  bool write_busy_ = false;
  Instant write_deadline_ = kNever;
};

}  // namespace decree::net

#include "tests/client/fake_server.h"

#include "kv/base/frame.h"

namespace decree::test {

namespace asio = boost::asio;
using asio::ip::tcp;

struct FakeServer::Session : std::enable_shared_from_this<Session> {
  Session(FakeServer& owner, tcp::socket accepted) : server(owner), socket(std::move(accepted)) {}

  void Start() {
    Hello hello;
    hello.cluster = server.cluster_;
    hello.node = NodeId{1};
    Write(FrameType::kHello, Encode(hello));
    Read();
  }

  void Read() {
    socket.async_read_some(asio::buffer(chunk), [self = shared_from_this()](auto code, auto size) {
      if (code) return;
      self->in.append(self->chunk.data(), size);
      self->Parse();
      self->Read();
    });
  }

  void Parse() {
    Frame frame;
    std::size_t consumed = 0;
    while (ParseFrame(in, &frame, &consumed) == FrameState::kComplete) {
      if (frame.type == static_cast<std::uint16_t>(FrameType::kRequest)) OnRequest(frame.payload);
      in.erase(0, consumed);
    }
  }

  void OnRequest(std::string_view payload) {
    Reader reader(payload);
    const std::uint64_t id = reader.Varint();
    RpcRequest request;
    Get(reader, request);
    // A test may keep the answer for longer than the server lives.
    server.handler_(request, [weak = weak_from_this(), id](RpcResponse response) {
      const auto self = weak.lock();
      if (!self) return;
      asio::post(self->server.io_, [self, id, response = std::move(response)] {
        std::string body;
        Writer(body).Varint(id);
        AppendEncoded(body, response);
        self->Write(FrameType::kResponse, body);
      });
    });
  }

  void Write(FrameType type, const std::string& payload) {
    std::string frame;
    AppendFrame(frame, static_cast<std::uint16_t>(type), payload);
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(frame), ignored);
  }

  FakeServer& server;
  tcp::socket socket;
  std::array<char, 65536> chunk{};
  std::string in;
};

FakeServer::FakeServer(Handler handler, ClusterId cluster)
    : handler_(std::move(handler)),
      cluster_(cluster),
      acceptor_(io_, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)),
      port_(acceptor_.local_endpoint().port()) {
  Accept();
  thread_ = std::thread([this] { io_.run(); });
}

FakeServer::~FakeServer() {
  io_.stop();
  thread_.join();
}

void FakeServer::Accept() {
  acceptor_.async_accept([this](auto code, tcp::socket socket) {
    if (code) return;
    ++connections_;
    auto session = std::make_shared<Session>(*this, std::move(socket));
    sessions_.push_back(session);
    session->Start();
    Accept();
  });
}

void FakeServer::CutConnections() {
  asio::post(io_, [this] {
    for (const auto& weak : sessions_) {
      if (const auto session = weak.lock()) session->socket.close();
    }
    sessions_.clear();
  });
}

ShardMap FakeServer::OneNodeMap(std::uint32_t shards) const {
  ShardMap map;
  map.cluster = cluster_;
  map.version = 1;
  ShardEntry entry;
  entry.epoch = Epoch{1};
  entry.replicas.push_back({ReplicaId{1}, NodeId{1}, Incarnation{1}, true});
  map.shards.assign(shards, entry);
  map.placement = entry;
  map.nodes.push_back({NodeId{1}, address(), ""});
  return map;
}

RpcResponse FakeServer::Ok(std::string body) {
  RpcResponse response;
  response.served_by = NodeId{1};
  response.epoch = Epoch{1};
  response.map_version = 1;
  response.body = std::move(body);
  return response;
}

}  // namespace decree::test

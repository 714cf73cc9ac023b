// A server that speaks the native protocol and answers as the test says: for the client's own
// behaviour, without a cluster.
#pragma once

#include <boost/asio.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kv/api/rpc.h"
#include "kv/api/shard_map.h"

namespace decree::test {

class FakeServer {
 public:
  using Respond = std::function<void(RpcResponse)>;
  // On the server's thread. `respond` may be kept and called later, or never.
  using Handler = std::function<void(const RpcRequest&, Respond respond)>;

  explicit FakeServer(Handler handler, ClusterId cluster = ClusterId{77});
  ~FakeServer();

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }
  void CutConnections();

  // A map of one node, this one, that leads all of `shards` shards.
  ShardMap OneNodeMap(std::uint32_t shards = 4) const;
  static RpcResponse Ok(std::string body);

 private:
  struct Session;
  void Accept();

  const Handler handler_;
  const ClusterId cluster_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_;
  std::atomic<int> connections_{0};
  std::vector<std::weak_ptr<Session>> sessions_;
  std::thread thread_;
};

}  // namespace decree::test

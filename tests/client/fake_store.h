// A fake server with rows: one version a key in memory, enough to answer every call of a client.
// May be told to swallow calls, so that they stay without an answer.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "kv/api/command.h"
#include "tests/client/fake_server.h"

namespace decree::test {

class FakeStore {
 public:
  FakeStore();

  std::string address() const { return server_->address(); }
  // Nobody listens there any more.
  void Leave() { server_.reset(); }

  // Waits until so many calls were swallowed.
  void AwaitSwallowed(int count = 1);

  // The server's thread writes these while a call is under way, and only then.
  std::map<std::string, std::string> rows;
  std::uint64_t version = 0;
  // Answers of the administration interface by "GET /target"; others echo the request as 202.
  std::map<std::string, AdminResponse> admin;

  // The address of a second replica of every shard; empty: there is none.
  std::string neighbour;

  std::atomic<bool> swallow_writes{false};
  std::atomic<bool> swallow_reads{false};
  std::atomic<bool> swallow_scans{false};

 private:
  void Handle(const RpcRequest& request, const FakeServer::Respond& respond);
  ShardMap Map() const;
  void Admin(const RpcRequest& request, const FakeServer::Respond& respond);
  void Read(const RpcRequest& request, const FakeServer::Respond& respond);
  void Write(const RpcRequest& request, const FakeServer::Respond& respond);
  void Scan(const RpcRequest& request, const FakeServer::Respond& respond);
  bool Holds(const Condition& condition, const std::string* value) const;
  bool Swallow(bool wanted);

  std::atomic<int> swallowed_{0};
  std::unique_ptr<FakeServer> server_;
};

}  // namespace decree::test

// The REST door over a real socket, with a small store behind it.
#pragma once

#include <gtest/gtest.h>

#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kv/api/shard_map.h"
#include "server/net/http_connection.h"
#include "server/net/http_listener.h"
#include "server/net/runtime.h"
#include "tests/net/fake_door.h"
#include "tests/net/raw_socket.h"

namespace decree::net {

// One answer as it came over the wire.
struct Answer {
  int status = 0;
  std::string head;  // status line and fields
  std::string body;

  std::optional<std::string> Field(const std::string& name) const {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return std::nullopt;
    const std::size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

// Takes the first answer off the front; nullopt: not whole yet.
inline std::optional<Answer> TakeAnswer(std::string& bytes, bool to_head = false) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  Answer answer;
  answer.head = bytes.substr(0, end + 2);
  answer.status = std::stoi(answer.head.substr(9, 3));
  const auto length = answer.Field("Content-Length");
  const std::size_t size = length && !to_head ? std::stoul(*length) : 0;
  if (bytes.size() < end + 4 + size) return std::nullopt;
  answer.body = bytes.substr(end + 4, size);
  bytes.erase(0, end + 4 + size);
  return answer;
}

// Keys with versions, as one shard would hold them. Reads and writes take a turn of the loop.
class SmallStore {
 public:
  OperationResult Run(const Operation& operation) {
    std::lock_guard lock(mutex_);
    last = operation;
    OperationResult result;
    if (place_known) {
      result.shard = ShardId{11};
      result.epoch = Epoch{3};
      result.node = NodeId{2};
    }
    if (forced != Errc::kOk) {
      result.code = forced;
      return result;
    }
    if (operation.kind == OperationKind::kScan) {
      ScanPage(operation, &result.scan);
      return result;
    }
    const auto found = rows_.find(operation.key);
    const std::uint64_t current = found == rows_.end() ? 0 : found->second.version;
    if (operation.kind == OperationKind::kGet) {
      if (current == 0) {
        result.code = Errc::kNotFound;
      } else {
        result.read = found->second;
      }
      return result;
    }
    Write(operation, current, &result.command);
    return result;
  }

  void Put(const std::string& key, const std::string& value) {
    std::lock_guard lock(mutex_);
    rows_[key] = {value, ++version_, 0};
  }

  Errc forced = Errc::kOk;
  bool place_known = true;
  Operation last;

 private:
  // As the shard would answer, of the eight that FakeDoor speaks of.
  void ScanPage(const Operation& operation, ScanResult* result) {
    const ScanRequest& scan = operation.scan;
    result->complete = true;
    for (auto row = rows_.upper_bound(scan.after); row != rows_.end(); ++row) {
      if (ShardOf(row->first, 8) != operation.shard) continue;
      if (!row->first.starts_with(scan.prefix)) continue;
      result->complete = result->rows.size() < scan.limit;
      if (!result->complete) return;
      result->rows.push_back({row->first, row->second.value, row->second.version});
    }
  }
  void Write(const Operation& operation, std::uint64_t current, CommandResult* result) {
    const Condition& condition = operation.condition;
    const bool holds =
        condition.kind == ConditionKind::kNone ||
        (condition.kind == ConditionKind::kAbsent && current == 0) ||
        (condition.kind == ConditionKind::kPresent && current != 0) ||
        (condition.kind == ConditionKind::kVersionIs && current == condition.version);
    result->version = current;
    if (!holds) {
      result->code = Errc::kPreconditionFailed;
      return;
    }
    result->created = (operation.kind == OperationKind::kPut) == (current == 0);
    if (operation.kind == OperationKind::kDelete) {
      rows_.erase(operation.key);
      return;
    }
    result->version = ++version_;
    result->expires_at_ms = operation.ttl_ms == 0 ? 0 : 1'000'000 + operation.ttl_ms;
    rows_[operation.key] = {operation.value, result->version, result->expires_at_ms};
  }

  std::mutex mutex_;
  std::map<std::string, ReadResult> rows_;
  std::uint64_t version_ = 0;
};

class HttpTest : public testing::Test {
 protected:
  HttpTest() : runtime_({.workers = 2}) {
    door.on_operate = [this](std::size_t worker, Operation operation, OperationCallback done) {
      runtime_.executor(worker).Post([this, operation = std::move(operation),
                                      done = std::move(done)] { done(store.Run(operation)); });
    };
    runtime_.Start();
  }
  ~HttpTest() override { runtime_.Stop(); }

  // Opened at the first use, so that a test may change door and tuning before.
  std::uint16_t port() {
    if (!listener_) {
      listener_ = std::make_unique<HttpListener>(
          runtime_, Acceptor::Bind(runtime_, "127.0.0.1:0", {}).value(), door, LogSink{}, tuning);
      listener_->Start();
    }
    return listener_->bound().port;
  }

  // Sends bytes, reads `count` answers. `heads`: which of them answer HEAD.
  std::vector<Answer> Exchange(const std::string& bytes, std::size_t count, bool to_head = false) {
    RawSocket socket(port());
    socket.Send(bytes);
    return ReadAnswers(socket, count, to_head);
  }
  static std::vector<Answer> ReadAnswers(RawSocket& socket, std::size_t count,
                                         bool to_head = false) {
    std::vector<Answer> answers;
    socket.ReadUntil([&](std::string& held) {
      while (answers.size() < count) {
        auto answer = TakeAnswer(held, to_head);
        if (!answer) return false;
        answers.push_back(std::move(*answer));
      }
      return true;
    });
    return answers;
  }
  Answer Ask(const std::string& method, const std::string& target, const std::string& fields = {},
             const std::string& body = {}) {
    std::string bytes = method + " " + target + " HTTP/1.1\r\nHost: t\r\n" + fields;
    if (method == "PUT" || method == "POST" || !body.empty()) {
      bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    }
    auto answers = Exchange(bytes + "\r\n" + body, 1, method == "HEAD");
    return answers.empty() ? Answer{} : answers[0];
  }

  Runtime runtime_;
  FakeDoor door;
  SmallStore store;
  HttpTuning tuning;
  std::unique_ptr<HttpListener> listener_;
};

}  // namespace decree::net

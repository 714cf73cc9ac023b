// What an Acceptor hands over; apart from acceptor.h, which shows no Asio.
#pragma once

#include "server/net/acceptor.h"
#include "server/net/worker.h"

namespace decree::net {

struct Acceptor::Accepted {
  Worker& worker;
  tcp::socket socket;
  std::shared_ptr<void> ticket;  // kept while the connection lives
};

}  // namespace decree::net

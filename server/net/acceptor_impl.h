// What an Acceptor hands over; apart from acceptor.h, which shows no Asio.
#pragma once

#include "server/net/acceptor.h"
#include "server/net/worker.h"

namespace decree::net {

struct Acceptor::Accepted {
  Worker& worker;
  tcp::socket socket;
  std::shared_ptr<void> ticket;  // counts the connection: kept while it lives
  bool crowded = false;          // one of the last quarter that the port takes
};

}  // namespace decree::net

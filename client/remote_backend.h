// Calls over the network: a thread of its own, a Caller for retries, a courier for connections.
#pragma once

#include <memory>

#include "decree/client.h"
#include "decree/client_backend.h"

namespace decree::client {

// kInvalidArgument: no endpoint, or one that is not host:port.
Result<std::shared_ptr<ClientBackend>> ConnectRemote(const ClientOptions& options);

}  // namespace decree::client

// The administration interface (contract.md), answered where the placement leader is: replicated
// facts from its state, volatile ones from the reports. Worker 0 only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kv/api/rpc.h"
#include "server/node/placement_port.h"

namespace decree::node {

class MoveDriver;
class PlacementLeader;

// An error as problem+json: a status from the common vocabulary, `code`, `retryable`, `outcome`.
AdminResponse AdminProblem(Errc code, const std::string& detail);

class AdminService {
 public:
  // All three outlive the service.
  AdminService(PlacementPort& port, PlacementLeader& leader, MoveDriver& mover);
  ~AdminService();

  // Answers once, perhaps inside the call.
  void Handle(AdminRequest request, std::function<void(AdminResponse)> done);

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace decree::node

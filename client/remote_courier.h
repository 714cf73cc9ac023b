// Carries calls to the nodes of a cluster: one link an address. Node 0 is whichever node answers: a
// configured endpoint or, when those fail, any node of the shard map. On the loop's thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/link.h"
#include "kv/api/caller.h"

namespace decree::client {

class RemoteCourier : public Courier {
 public:
  RemoteCourier(IoLoop& loop, std::shared_ptr<LinkShared> shared,
                std::vector<std::string> endpoints);

  void Call(NodeId node, RpcRequest request, RpcReply reply) override;
  void Close();

  // Where addresses of nodes come from; may answer null.
  using MapSource = std::function<std::shared_ptr<const ShardMap>()>;
  void UseMap(MapSource source) { map_ = std::move(source); }

 private:
  Link& LinkTo(const std::string& address);
  Link& AnyLink();
  std::vector<std::string> Candidates() const;

  IoLoop& loop_;
  const std::shared_ptr<LinkShared> shared_;
  const std::vector<std::string> endpoints_;
  MapSource map_;
  std::map<std::string, std::shared_ptr<Link>> links_;
  std::size_t next_endpoint_ = 0;
  bool closed_ = false;
};

}  // namespace decree::client

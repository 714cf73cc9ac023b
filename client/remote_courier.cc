#include "client/remote_courier.h"

#include <algorithm>

namespace decree::client {

RemoteCourier::RemoteCourier(IoLoop& loop, std::shared_ptr<LinkShared> shared,
                             std::vector<std::string> endpoints)
    : loop_(loop), shared_(std::move(shared)), endpoints_(std::move(endpoints)) {}

void RemoteCourier::Call(NodeId node, RpcRequest request, RpcReply reply) {
  if (closed_) {
    loop_.Post([reply = std::move(reply)] {
      RpcResponse response;
      response.code = Errc::kUnavailable;
      response.detail = "the client is closing";
      reply(std::move(response));
    });
    return;
  }
  const auto map = map_ ? map_() : nullptr;
  shared_->has_map = map != nullptr;
  if (!node) return AnyLink().Call(std::move(request), std::move(reply));
  const NodeAddress* address = map ? map->Address(node) : nullptr;
  Link& link = address && !address->rpc.empty() ? LinkTo(address->rpc) : AnyLink();
  link.Call(std::move(request), std::move(reply));
}

void RemoteCourier::Close() {
  closed_ = true;
  const auto links = links_;  // replies may come back here
  for (const auto& [address, link] : links) link->Close();
}

Link& RemoteCourier::LinkTo(const std::string& address) {
  auto& link = links_[address];
  if (!link) link = std::make_shared<Link>(loop_, shared_, address);
  return *link;
}

std::vector<std::string> RemoteCourier::Candidates() const {
  std::vector<std::string> all = endpoints_;
  const auto map = map_ ? map_() : nullptr;
  if (!map) return all;
  for (const NodeAddress& node : map->nodes) {
    if (!node.rpc.empty() && std::find(all.begin(), all.end(), node.rpc) == all.end()) {
      all.push_back(node.rpc);
    }
  }
  return all;
}

// Stays with a node that answers; otherwise goes round, so that every try meets another one.
Link& RemoteCourier::AnyLink() {
  const std::vector<std::string> candidates = Candidates();
  const auto grade = [this](const std::string& address) {
    const Link& link = LinkTo(address);
    if (link.resting()) return 0;
    if (!link.open()) return 1;
    return link.silent() ? 1 : 2;
  };
  std::size_t best = next_endpoint_ % candidates.size();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::size_t other = (next_endpoint_ + i) % candidates.size();
    if (grade(candidates[other]) > grade(candidates[best])) best = other;
  }
  if (grade(candidates[best]) < 2) next_endpoint_ = best + 1;
  return LinkTo(candidates[best]);
}

}  // namespace decree::client

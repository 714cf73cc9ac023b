// A whole Decree store inside this program: embed_node DIRECTORY
#include <decree/node.h>

#include <iostream>

int main(int argc, char** argv) {
  decree::NodeOptions options;
  options.dirs = {argc > 1 ? argv[1] : "embed_node.data"};
  auto node = decree::Node::Open(options);
  if (!node) {
    std::cerr << node.error().ToString() << '\n';
    return 1;
  }
  decree::Client db = (*node)->client();
  const auto put = db.Put("k", "v1");
  const auto got = db.Get("k");
  if (!put || !got || got->value != "v1") return 1;
  const auto cas = db.Put("k", "v2", {.if_version = got->version});
  const auto stale = db.Put("k", "v3", {.if_version = got->version});
  if (!cas || stale.error() != decree::Errc::kPreconditionFailed) return 1;
  std::cout << "k = " << db.Get("k")->value << ", version " << cas->value << '\n';
  (*node)->Stop(std::chrono::seconds(5));
}

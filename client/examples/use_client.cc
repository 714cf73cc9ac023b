// Reads and writes in a running cluster: use_client decree://127.0.0.1:4740
#include <decree/client.h>

#include <boost/asio/use_future.hpp>
#include <iostream>

int main(int argc, char** argv) {
  auto db = decree::Client::Connect(argc > 1 ? argv[1] : "decree://127.0.0.1:4740");
  if (!db) {
    std::cerr << db.error().ToString() << '\n';
    return 2;
  }
  if (const auto put = db->Put("greeting", "hello"); !put) {
    std::cerr << put.error().ToString() << '\n';
    return 1;
  }
  auto later = db->AsyncGet("greeting", boost::asio::use_future);  // any Asio completion token
  const decree::Result<decree::Value> got = later.get();
  if (!got || got->value != "hello") return 1;
  std::cout << got->value << ", version " << got->version.value << '\n';
}

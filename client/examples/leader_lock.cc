// One leader at a time, by a key that expires: leader_lock decree://127.0.0.1:4740
//
// Whoever creates the key leads until it expires, and keeps it by writing it again in time. A
// leader that was stopped for longer than the key lives does not know that another has taken over;
// so what it changes elsewhere should carry the key's version, and be refused there once a higher
// one was seen (a fencing token). Versions of a key only grow.
#include <decree/client.h>

#include <atomic>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

class LeaderLock {
 public:
  LeaderLock(decree::Client& db, std::string key, std::string name, std::chrono::milliseconds life)
      : db_(db), key_(std::move(key)), name_(std::move(name)), life_(life) {}

  // Whether this one leads now. kPreconditionFailed is no error here: another one leads.
  decree::Result<bool> TryToLead() {
    decree::WriteOptions options;
    options.ttl = life_;
    options.if_absent = true;
    return Lead(options);
  }
  // In time, say at half of the key's life. False: it has been lost.
  decree::Result<bool> Keep() {
    decree::WriteOptions options;
    options.ttl = life_;
    options.if_version = version_;
    return Lead(options);
  }
  void GiveUp() {
    decree::WriteOptions options;
    options.if_version = version_;
    (void)db_.Del(key_, options);  // else it expires
  }
  decree::Version fencing_token() const { return version_; }

 private:
  decree::Result<bool> Lead(const decree::WriteOptions& options) {
    const auto put = db_.Put(key_, name_, options);
    if (put) version_ = *put;
    if (put || put.error() == decree::Errc::kPreconditionFailed) return put.has_value();
    return put.error();
  }

  decree::Client& db_;
  const std::string key_;
  const std::string name_;
  const std::chrono::milliseconds life_;
  decree::Version version_;
};

std::atomic<int> leaders{0};
std::atomic<int> terms{0};
std::atomic<bool> broken{false};

void Contend(decree::Client& db, const std::string& name) {
  LeaderLock lock(db, "leader", name, 5s);
  const auto patience = std::chrono::steady_clock::now() + 30s;
  for (int led = 0; led < 3 && std::chrono::steady_clock::now() < patience;) {
    const auto lead = lock.TryToLead();
    if (!lead || !*lead) {
      std::this_thread::sleep_for(5ms);  // an application would watch the key instead
      continue;
    }
    if (++leaders > 1) broken = true;
    const auto kept = lock.Keep();
    if (!kept || !*kept) broken = true;
    --leaders;
    lock.GiveUp();
    ++led;
    ++terms;
  }
}

}  // namespace

int main(int argc, char** argv) {
  auto db = decree::Client::Connect(argc > 1 ? argv[1] : "decree://127.0.0.1:4740");
  if (!db) {
    std::cerr << db.error().ToString() << '\n';
    return 2;
  }
  std::vector<std::thread> contenders;
  for (const char* name : {"ada", "ben", "eve"}) {
    contenders.emplace_back([&db, name] { Contend(*db, name); });
  }
  for (std::thread& contender : contenders) contender.join();
  if (broken || terms != 9) {
    std::cerr << "terms: " << terms << (broken ? ", two led at once\n" : "\n");
    return 1;
  }
  std::cout << terms << " terms, one leader at a time\n";
}

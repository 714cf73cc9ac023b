// Golden scripts: each file of tests/testdata/consensus holds commands ("> ...") and the trace they
// give. DECREE_REWRITE_GOLDEN=1 writes the files anew; review the change as a diff.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/consensus/manual_cluster.h"

namespace decree::consensus::testing {
namespace {

using Words = std::vector<std::string>;

Words Split(const std::string& line) {
  std::istringstream in(line);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::vector<std::uint64_t> Ids(const std::string& list) {
  std::istringstream in(list);
  std::vector<std::uint64_t> ids;
  for (std::string id; std::getline(in, id, ',');) ids.push_back(std::stoull(id));
  return ids;
}

class Script {
 public:
  // The trace of one command.
  std::string Run(const Words& w) {
    out_.clear();
    if (w[0] == "voters") {
      cluster_ = std::make_unique<ManualCluster>(GenesisOf(Ids(w[1])));
      cluster_->trace = [this](const std::string& line) { out_ += line + "\n"; };
      return "";
    }
    const std::uint64_t id = w.size() > 1 ? std::strtoull(w[1].c_str(), nullptr, 10) : 0;
    if (!Drive(w, id) && !Break(w, id) && !Change(w, id)) out_ += "unknown command\n";
    return out_;
  }

 private:
  bool Drive(const Words& w, std::uint64_t id) {
    ManualCluster& c = *cluster_;
    if (w[0] == "elect") {
      c.Elect(id);
    } else if (w[0] == "propose") {
      Say(c.Propose(id, Command(w[2])));
    } else if (w[0] == "advance") {
      c.Advance(milliseconds(std::stoll(w[1])));
    } else if (w[0] == "settle") {
      c.Settle();
    } else if (w[0] == "read") {
      c[id].Read(c.now(), ++reads_);
      c.Settle();
      for (const ReadReady& read : c[id].reads) out_ += read.ok ? "read ok\n" : "read failed\n";
      c[id].reads.clear();
    } else if (w[0] == "transfer") {
      c[id].Transfer(c.now(), ReplicaId{std::stoull(w[2])});
      c.Settle();
    } else if (w[0] == "show") {
      out_ += c.Status();
    } else {
      return false;
    }
    return true;
  }

  bool Break(const Words& w, std::uint64_t id) {
    ManualCluster& c = *cluster_;
    if (w[0] == "cut") {
      c.Cut(id, std::stoull(w[2]));
    } else if (w[0] == "isolate") {
      c.Isolate(id);
    } else if (w[0] == "mend") {
      c.Mend();
    } else if (w[0] == "crash") {
      c.Crash(id);
    } else if (w[0] == "restart") {
      c.Restart(id);
    } else if (w[0] == "freeze-disk") {
      c.frozen_disks.insert(id);
    } else if (w[0] == "trim") {
      c[id].Flush();
      c[id].TrimLog();
    } else {
      return false;
    }
    return true;
  }

  bool Change(const Words& w, std::uint64_t id) {
    ManualCluster& c = *cluster_;
    if (w[0] == "shell") {
      c.AddShell(id);
    } else if (w[0] == "snapshot") {
      c.Snapshot(id, std::stoull(w[2]));
    } else if (w[0] == "add-learner") {
      Say(c.Propose(id, AddLearnerOf(MoveId{std::stoull(w[2])}, std::stoull(w[3]))));
    } else if (w[0] == "remove-learner") {
      Say(c.Propose(id, RemoveLearnerOf(MoveId{std::stoull(w[2])}, std::stoull(w[3]))));
    } else if (w[0] == "seal") {
      c[id].replica().HoldProposals();
      Say(c.Propose(id, SealOf(MoveId{std::stoull(w[2])}, Ids(w[3]))));
    } else {
      return false;
    }
    return true;
  }

  void Say(const ProposeResult& result) {
    const char* names[] = {"proposed", "not leader", "not ready", "full", "not now", "refused"};
    out_ += std::string("= ") + names[static_cast<int>(result.code)];
    if (result.code == ProposeCode::kProposed) out_ += " at slot " + ToString(result.slot);
    if (*result.detail != '\0') out_ += std::string(": ") + result.detail;
    out_ += "\n";
  }

  std::unique_ptr<ManualCluster> cluster_;
  std::string out_;
  ReadId reads_ = 0;
};

std::string Replay(const std::filesystem::path& path) {
  std::ifstream in(path);
  Script script;
  std::string text;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) text += line + "\n";
    if (!line.starts_with("> ")) continue;
    text += line + "\n" + script.Run(Split(line.substr(2)));
  }
  return text;
}

std::string FirstDifference(const std::string& recorded, const std::string& trace) {
  std::istringstream was(recorded), is(trace);
  std::string before, a, b;
  while (std::getline(was, a) && std::getline(is, b) && a == b) before = a;
  return "\nafter:    " + before + "\nrecorded: " + a + "\nnow:      " + b;
}

TEST(GoldenScriptTest, TracesAreAsRecorded) {
  std::size_t scripts = 0;
  for (const auto& file : std::filesystem::directory_iterator(DECREE_TESTDATA "/consensus")) {
    if (file.path().extension() != ".txt") continue;
    ++scripts;
    const std::string trace = Replay(file.path());
    if (std::getenv("DECREE_REWRITE_GOLDEN") != nullptr) {
      std::ofstream(file.path()) << trace;
      continue;
    }
    std::ostringstream recorded;
    recorded << std::ifstream(file.path()).rdbuf();
    EXPECT_TRUE(recorded.str() == trace)
        << file.path() << FirstDifference(recorded.str(), trace)
        << "\n(DECREE_REWRITE_GOLDEN=1 writes it anew: review the diff)";
  }
  EXPECT_GE(scripts, 4u);
}

}  // namespace
}  // namespace decree::consensus::testing

// The Caller against a real key-value machine behind a network that loses, delays and repeats, with
// leaders that change and sessions that expire. Whatever happens: a write that reports kOk ran once
// and reports its own version; one that reports kOutcomeUnknown ran at most once; any other, never.
#include <gtest/gtest.h>

#include <map>

#include "kv/store/mem_disk.h"
#include "kv/store/state_machine.h"
#include "tests/api/caller_fixture.h"

namespace decree {
namespace {

struct Weather {
  double lose = 0;           // each direction
  double repeat = 0;         // a request arrives twice
  double straggle = 0;       // each direction: 200 times the delay
  double change_leader = 0;  // per call
  double expire = 0;         // per call: ten minutes pass at once
  Duration longest_delay = 20ms;
};

class LossyCluster : public Courier {
 public:
  LossyCluster(VirtualExecutor& executor, std::uint64_t seed, Weather weather)
      : executor_(executor), random_(seed), weather_(weather), disk_(store::MemDiskOptions{}) {
    engine_ = disk_.OpenRows({ShardId{0}, ReplicaId{1}}).value();
    machine_ = store::KvMachine::Open(*engine_, {}).value();
  }

  void Call(NodeId node, RpcRequest request, RpcReply reply) override {
    if (request.method == Method::kGetMap) {
      RpcResponse response;
      response.body = Encode(*MapOf({1, 2, 3}));
      return Later([reply, response] { reply(response); });
    }
    const int copies = random_.Chance(weather_.repeat) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      if (random_.Chance(weather_.lose)) continue;
      const bool answers = i == 0 && !random_.Chance(weather_.lose);
      Later([this, node, request, reply, answers] {
        RpcResponse response = Serve(node, request);
        if (answers) Later([reply, response] { reply(response); });
      });
    }
  }

  int ExecutionsOf(const std::string& value) const {
    const auto at = executions_.find(value);
    return at == executions_.end() ? 0 : static_cast<int>(at->second.size());
  }
  std::uint64_t VersionOf(const std::string& value) const { return executions_.at(value).front(); }

 private:
  void Later(Task task) {
    const auto limit = static_cast<std::uint64_t>(weather_.longest_delay.count());
    // A straggler arrives long after its operation was answered.
    const std::uint64_t scale = random_.Chance(weather_.straggle) ? 200 : 1;
    const auto delay = static_cast<std::int64_t>(random_.Below(limit) * scale);
    executor_.RunAt(executor_.Now() + Duration(delay), std::move(task));
  }

  RpcResponse Serve(NodeId node, const RpcRequest& request) {
    if (random_.Chance(weather_.change_leader)) {
      leader_ = NodeId{1 + static_cast<std::uint32_t>(random_.Below(3))};
    }
    if (random_.Chance(weather_.expire)) time_ms_ += 600'000;
    if (node != leader_) return Refuses(Errc::kNotLeader, random_.Chance(0.8) ? leader_ : NodeId{});
    if (random_.Chance(weather_.lose / 4)) return Refuses(Errc::kUnavailable);
    const Command command = Decode<Command>(request.body).value();
    const std::uint64_t before = machine_->facts().last_version;
    const CommandBatch batch{time_ms_ += 1, {command}};
    consensus::Decree decree;
    decree.kind = consensus::DecreeKind::kCommandBatch;
    decree.payload = std::make_shared<const std::string>(Encode(batch));
    const auto applied = machine_->Apply({{machine_->facts().applied.Next(), decree}}).value();
    const std::uint64_t after = machine_->facts().last_version;
    if (after != before) executions_[command.value].push_back(after);
    // A leader that was deposed meanwhile cannot say what became of the command.
    if (random_.Chance(weather_.lose / 4)) return Refuses(Errc::kOutcomeUnknown);
    return Executes(applied.front().results.front(), node);
  }

  VirtualExecutor& executor_;
  Random random_;
  Weather weather_;
  store::MemDisk disk_;
  std::unique_ptr<store::Engine> engine_;
  std::unique_ptr<store::KvMachine> machine_;
  NodeId leader_{1};
  WallMs time_ms_ = 1'000'000;
  std::map<std::string, std::vector<std::uint64_t>> executions_;  // value -> versions it was given
};

std::map<Errc, int> RunLoad(std::uint64_t seed, Weather weather) {
  VirtualExecutor executor(seed);
  LossyCluster cluster(executor, seed * 7919 + 1, weather);
  Caller caller(executor, cluster);
  Random random(seed + 1000);
  std::map<std::string, OperationResult> results;
  constexpr int kWrites = 150;
  for (int i = 0; i < kWrites; ++i) {
    const std::string value = "value-" + std::to_string(i);
    Operation put = PutOperation("k" + std::to_string(random.Below(5)), value);
    put.timeout = milliseconds(200 + random.Below(4000));
    caller.Start(put, [&results, value](OperationResult result) {
      EXPECT_TRUE(results.emplace(value, std::move(result)).second) << "answered twice";
    });
    if (random.Chance(0.3)) executor.RunFor(milliseconds(random.Below(100)));
  }
  executor.RunFor(30s);  // stragglers too
  std::map<Errc, int> codes;
  EXPECT_EQ(results.size(), static_cast<std::size_t>(kWrites));
  for (const auto& [value, result] : results) {
    ++codes[result.code];
    const int executions = cluster.ExecutionsOf(value);
    if (result.code == Errc::kOk) {
      EXPECT_EQ(executions, 1) << value << ", seed " << seed;
      if (executions == 1) {
        EXPECT_EQ(result.command.version, cluster.VersionOf(value)) << value << ", seed " << seed;
      }
    } else if (result.code == Errc::kOutcomeUnknown) {
      EXPECT_LE(executions, 1) << value << ", seed " << seed;
    } else {
      EXPECT_EQ(executions, 0) << value << " " << ErrcName(result.code) << ", seed " << seed;
    }
  }
  return codes;
}

std::map<Errc, int> RunSeeds(std::uint64_t seeds, Weather weather) {
  std::map<Errc, int> sum;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    for (const auto& [code, count] : RunLoad(seed, weather)) sum[code] += count;
    if (testing::Test::HasFailure()) break;
  }
  return sum;
}

TEST(ExactlyOnceTest, CalmNetworkAnswersEverything) {
  const auto codes = RunSeeds(5, {});
  EXPECT_EQ(codes.at(Errc::kOk), 5 * 150);
}

TEST(ExactlyOnceTest, Scenario45_LossRepetitionAndLeaderChanges) {
  Weather weather;
  weather.lose = 0.1;
  weather.repeat = 0.2;
  weather.straggle = 0.05;
  weather.change_leader = 0.02;
  const auto codes = RunSeeds(40, weather);
  EXPECT_GT(codes.at(Errc::kOk), 40 * 100) << "most writes get through";
}

TEST(ExactlyOnceTest, ExpiringSessions) {
  Weather weather;
  weather.lose = 0.1;
  weather.straggle = 0.05;
  weather.change_leader = 0.02;
  weather.expire = 0.03;
  const auto codes = RunSeeds(40, weather);
  EXPECT_GT(codes.at(Errc::kOk), 40 * 60);
  EXPECT_GT(codes.at(Errc::kOutcomeUnknown), 0);
}

TEST(ExactlyOnceTest, HeavyLoss) {
  Weather weather;
  weather.lose = 0.5;
  weather.straggle = 0.1;
  weather.change_leader = 0.1;
  weather.expire = 0.005;
  weather.longest_delay = 200ms;
  RunSeeds(40, weather);
}

TEST(ExactlyOnceTest, SameSeedGivesTheSameAnswers) {
  Weather weather;
  weather.lose = 0.2;
  weather.change_leader = 0.05;
  EXPECT_EQ(RunLoad(3, weather), RunLoad(3, weather));
}

}  // namespace
}  // namespace decree

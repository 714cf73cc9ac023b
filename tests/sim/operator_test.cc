#include "tests/sim/operator.h"

#include <gtest/gtest.h>

namespace decree::sim {
namespace {

const char kNodes[] = R"({"nodes":[
  {"id":1,"state":"up","disks":[{"id":0,"state":"ok"},{"id":1,"state":"ok"}]},
  {"id":2,"state":"up","disks":[{"id":0,"state":"ok"},{"id":1,"state":"failed"}]},
  {"id":3,"state":"draining","disks":[{"id":0,"state":"ok"}]}]})";

std::string Moves(const std::string& shards, bool disk_to_disk) {
  std::string text;
  for (const PossibleMove& move :
       PossibleMoves(boost::json::parse(kNodes), boost::json::parse(shards), disk_to_disk)) {
    text += std::to_string(move.shard) + ":" + std::to_string(move.from) + "." +
            std::to_string(move.from_disk) + ">" + std::to_string(move.to) + "." +
            std::to_string(move.to_disk) + " ";
  }
  return text;
}

TEST(PossibleMovesTest, LeadFromAHolderToAnOpenNodeThatHoldsNothingOfTheShard) {
  const char shards[] = R"({"shards":[{"id":7,"replicas":[
    {"node":1,"disk":0,"role":"voter"},{"node":3,"disk":0,"role":"voter"}]}]})";
  EXPECT_EQ(Moves(shards, false), "7:1.0>2.0 7:3.0>2.0 ");
  EXPECT_EQ(Moves(shards, true), "7:1.0>1.1 ");
}

TEST(PossibleMovesTest, LeaveAShardAloneThatIsBeingMoved) {
  const char shards[] = R"({"shards":[{"id":7,"replicas":[
    {"node":1,"disk":0,"role":"voter"},{"node":2,"disk":0,"role":"learner"}]}]})";
  EXPECT_EQ(Moves(shards, true), "");
}

}  // namespace
}  // namespace decree::sim

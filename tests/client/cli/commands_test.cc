// Commands run in this process, against a store that a test controls.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/cli/context.h"
#include "client/cli/temp_dir.h"
#include "tests/client/fake_store.h"

namespace decree::cli {
namespace {

struct Outcome {
  int exit = 0;
  std::string out;
  std::string err;
};

class CommandsTest : public ::testing::Test {
 protected:
  Outcome Run(std::vector<std::string> arguments, const std::string& input = {}) {
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    Context context(in, out, err);
    std::vector<std::string> all{"--endpoints", store_.address(), "--timeout", timeout_};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const int exit = RunCli(all, context);
    return {exit, out.str(), err.str()};
  }

  std::string File(const std::string& name, const std::string& text) {
    const std::string path = dir_->path() + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string timeout_ = "5s";
  Result<TempDir> dir_ = TempDir::Make("decree-cli-test");
  test::FakeStore store_;
};

TEST_F(CommandsTest, PutGetDelAndCasDoWhatTheySay) {
  EXPECT_EQ(Run({"put", "k", "v"}).exit, kExitOk);
  EXPECT_EQ(Run({"get", "k"}).out, "v");
  EXPECT_EQ(Run({"cas", "k", "v", "w"}).exit, kExitOk);
  EXPECT_EQ(store_.rows["k"], "w");
  EXPECT_EQ(Run({"del", "k"}).exit, kExitOk);
  EXPECT_FALSE(store_.rows.contains("k"));
  EXPECT_EQ(Run({"del", "k"}).exit, kExitOk) << "deleting what is not there succeeds";
}

TEST_F(CommandsTest, ScanPrintsRowsOfAllShardsInKeyOrder) {
  for (int i = 10; i < 20; ++i) store_.rows["k" + std::to_string(i)] = "v" + std::to_string(i);
  store_.rows["x\ty"] = "a\nb";
  EXPECT_EQ(Run({"scan", "--limit", "2"}).out, "k10\tv10\nk11\tv11\n");
  EXPECT_EQ(Run({"scan", "--start", "k18", "--end", "l", "--keys-only"}).out, "k18\nk19\n");
  EXPECT_EQ(Run({"scan", "--prefix", "x"}).out, "x\\ty\ta\\nb\n");
  EXPECT_EQ(Run({"scan", "--prefix", "78", "--hex", "--keys-only"}).out, "780979\n");
  EXPECT_EQ(Run({"scan", "--prefix", "none"}).out, "");
  const Outcome json = Run({"-o", "json", "scan", "--prefix", "k1", "--limit", "1"});
  EXPECT_EQ(json.out, R"({"items":[{"key":"k10","value":"v10","version":"0"}],"complete":false})"
                      "\n");
  EXPECT_EQ(Run({"-o", "json", "scan", "--prefix", "none"}).out,
            "{\"items\":[],\"complete\":true}\n");
  EXPECT_EQ(Run({"scan", "--prefix", "7", "--hex"}).exit, kExitUsage);
}

TEST_F(CommandsTest, PutReadsStandardInputToTheLastByte) {
  const std::string bytes("line\n\0\xff\n", 8);
  EXPECT_EQ(Run({"put", "k", "-"}, bytes).exit, kExitOk);
  EXPECT_EQ(store_.rows["k"], bytes);
  EXPECT_EQ(Run({"get", "k"}).out, bytes);
}

TEST_F(CommandsTest, HexKeysAreBytes) {
  EXPECT_EQ(Run({"put", "--hex", "00ff", "v"}).exit, kExitOk);
  EXPECT_TRUE(store_.rows.contains(std::string("\x00\xff", 2)));
  EXPECT_EQ(Run({"get", "--hex", "0"}).exit, kExitUsage);
}

TEST_F(CommandsTest, AMissingKeyIs3) {
  const Outcome got = Run({"get", "nothing"});
  EXPECT_EQ(got.exit, kExitNotFound);
  EXPECT_EQ(got.out, "");
  EXPECT_NE(got.err.find("not_found"), std::string::npos);
}

TEST_F(CommandsTest, AConditionThatDoesNotHoldIs4) {
  store_.rows["k"] = "v";
  store_.version = 9;
  EXPECT_EQ(Run({"put", "k", "w", "--if-absent"}).exit, kExitPrecondition);
  EXPECT_EQ(Run({"put", "k", "w", "--if-version", "8"}).exit, kExitPrecondition);
  const Outcome cas = Run({"cas", "k", "other", "w"});
  EXPECT_EQ(cas.exit, kExitPrecondition);
  EXPECT_NE(cas.err.find("next:"), std::string::npos) << "an error names the next step";
  EXPECT_EQ(store_.rows["k"], "v");
}

TEST_F(CommandsTest, NobodyThereIs5) {
  timeout_ = "200ms";
  const std::string address = store_.address();
  store_.Leave();
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  for (const char* command : {"get", "del"}) {
    Context context(in, out, err);
    EXPECT_EQ(RunCli({"--endpoints", address, "--timeout", "200ms", command, "k"}, context),
              kExitUnreachable);
  }
  Context context(in, out, err);
  EXPECT_EQ(RunCli({"--endpoints", address, "--timeout", "200ms", "status"}, context),
            kExitUnreachable);
}

TEST_F(CommandsTest, AWriteWithoutAnAnswerIs6AndAReadIs5) {
  timeout_ = "200ms";
  store_.swallow_writes = true;
  store_.swallow_reads = true;
  EXPECT_EQ(Run({"put", "k", "v"}).exit, kExitUnknown);
  EXPECT_EQ(Run({"get", "k"}).exit, kExitUnreachable);
}

TEST_F(CommandsTest, BadArgumentsAre2) {
  const std::vector<std::vector<std::string>> cases = {
      {},
      {"nonsense"},
      {"get"},
      {"get", "a", "b"},
      {"put", "k", "v", "--ttl", "soon"},
      {"put", "k", "v", "--if-absent", "--if-version", "1"},
      {"put", "", "v"},
      {"-o", "xml", "get", "k"},
      {"--timeout", "never", "get", "k"},
      {"move", "start", "1", "--from", "1", "--to", "x"},
      {"shard", "show", "minus-one"},
  };
  for (const auto& arguments : cases) {
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit, kExitUsage) << (arguments.empty() ? "" : arguments[0]);
    EXPECT_NE(outcome.err, "");
  }
}

TEST_F(CommandsTest, JsonIsOneObject) {
  store_.rows["k"] = std::string("\xff", 1);
  store_.version = 5;
  EXPECT_EQ(Run({"-o", "json", "get", "k"}).out,
            "{\"key\":\"k\",\"value_b64\":\"/w==\",\"version\":\"5\"}\n");
}

TEST_F(CommandsTest, AdministrativeErrorsBecomeExitCodes) {
  const auto problem = [](std::uint32_t status, const std::string& code) {
    AdminResponse response;
    response.status = status;
    response.body = "{\"code\":\"" + code + "\",\"detail\":\"the reason\"}";
    return response;
  };
  store_.admin["GET /v1/admin/shards/99"] = problem(404, "not_found");
  store_.admin["POST /v1/admin/moves"] = problem(409, "conflict");
  store_.admin["GET /v1/admin/cluster"] = problem(503, "unavailable");
  const Outcome missing = Run({"shard", "show", "99"});
  EXPECT_EQ(missing.exit, kExitNotFound);
  EXPECT_NE(missing.err.find("the reason"), std::string::npos);
  EXPECT_EQ(Run({"move", "start", "1", "--from", "1", "--to", "2"}).exit, kExitError);
  EXPECT_EQ(Run({"status"}).exit, kExitUnreachable);
}

TEST_F(CommandsTest, CheckIs1OnADifference) {
  const auto answer = [](const std::string& second, bool equal) {
    AdminResponse response;
    response.body =
        "{\"equal\":" + std::string(equal ? "true" : "false") +
        ",\"replicas\":[{\"node\":1,\"digest\":\"aa\"},{\"node\":2,\"digest\":" + second + "}]}";
    return response;
  };
  for (int shard = 0; shard < 4; ++shard) {
    store_.admin["POST /v1/admin/shards/" + std::to_string(shard) + ":check"] =
        answer("\"aa\"", true);
  }
  EXPECT_EQ(Run({"check"}).exit, kExitOk);
  store_.admin["POST /v1/admin/shards/2:check"] = answer("\"bb\"", false);
  const Outcome different = Run({"check"});
  EXPECT_EQ(different.exit, kExitError);
  EXPECT_NE(different.err.find("shard 2"), std::string::npos) << different.err;
  store_.admin["POST /v1/admin/shards/2:check"] = answer("null", false);
  EXPECT_EQ(Run({"check", "--shard", "2"}).exit, kExitError) << "a replica that did not say";
  EXPECT_EQ(Run({"check", "--shard", "1"}).exit, kExitOk);
  AdminResponse unknown;
  unknown.status = 404;
  unknown.body = R"({"code":"not_found","detail":"no shard 99"})";
  store_.admin["POST /v1/admin/shards/99:check"] = unknown;
  const Outcome missing = Run({"check", "--shard", "99"});
  EXPECT_EQ(missing.exit, kExitNotFound);
  EXPECT_NE(missing.err.find("no shard 99"), std::string::npos) << missing.err;
  EXPECT_EQ(missing.out.find("equal"), std::string::npos) << missing.out;
  unknown.status = 503;
  store_.admin["POST /v1/admin/shards/2:check"] = unknown;
  EXPECT_EQ(Run({"check"}).exit, kExitUnreachable) << "a failure is no difference";
}

TEST_F(CommandsTest, WhatIsImportedComesOutAgain) {
  std::string lines;
  for (int i = 0; i < 3000; ++i) {
    lines += "{\"key\":\"k" + std::to_string(i) + "\",\"value\":\"v" + std::to_string(i) + "\"}\n";
  }
  EXPECT_EQ(Run({"import", File("in.jsonl", lines)}).exit, kExitOk);
  EXPECT_EQ(store_.rows.size(), 3000u);
  const std::string path = dir_->path() + "/out.tsv";
  EXPECT_EQ(Run({"export", path, "--format", "tsv"}).exit, kExitOk);
  const auto before = store_.rows;
  store_.rows.clear();
  EXPECT_EQ(Run({"import", path}).exit, kExitOk);
  EXPECT_EQ(store_.rows, before);
  EXPECT_FALSE(std::filesystem::exists(path + ".decree-import"));
}

TEST_F(CommandsTest, ABadLineIsNamedAndTheRestIsImported) {
  const std::string path = File(
      "in.jsonl", "{\"key\":\"a\",\"value\":\"1\"}\n{\"key\":\n{\"key\":\"c\",\"value\":\"3\"}\n");
  const Outcome bad = Run({"import", path});
  EXPECT_EQ(bad.exit, kExitError);
  EXPECT_NE(bad.err.find("line 2"), std::string::npos) << bad.err;
  EXPECT_EQ(store_.rows.size(), 2u);
  EXPECT_EQ(Run({"import", dir_->path() + "/none"}).exit, kExitError);
}

TEST_F(CommandsTest, ResumeGoesOnBeforeTheFirstLineThatFailed) {
  const std::string first = "{\"key\":\"a\",\"value\":\"1\"}\n";
  const std::string path = File("in.jsonl", first + "{\"key\":\"b\",\"value\" \"2\"}\n");
  EXPECT_EQ(Run({"import", path}).exit, kExitError);
  store_.rows.clear();
  // The same size: what was there before must not look like another file.
  File("in.jsonl", first + "{\"key\":\"b\",\"value\":\"2\"}\n");
  EXPECT_EQ(Run({"import", "--resume", path}).exit, kExitOk);
  EXPECT_EQ(store_.rows, (std::map<std::string, std::string>{{"b", "2"}}));
}

TEST_F(CommandsTest, AnExportThatFailsLeavesNothingUnderItsName) {
  timeout_ = "200ms";
  const std::string path = dir_->path() + "/out.jsonl";
  File("out.jsonl", "precious");
  store_.Leave();
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Context context(in, out, err);
  EXPECT_NE(RunCli({"--endpoints", "127.0.0.1:1", "--timeout", "200ms", "export", path}, context),
            kExitOk);
  EXPECT_EQ(Read(path), "precious");
}

}  // namespace
}  // namespace decree::cli

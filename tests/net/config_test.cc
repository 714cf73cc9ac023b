#include "server/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "server/daemon_log.h"

namespace decree {
namespace {

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    std::string pattern = testing::TempDir() + "decree-config-XXXXXX";
    dir_ = mkdtemp(pattern.data());
  }
  ~ConfigTest() override { std::filesystem::remove_all(dir_); }

  ConfigOutcome Load(const std::vector<std::string>& arguments) const {
    return LoadConfig(arguments, [this](const char* name) {
      const auto found = environment.find(name);
      return found == environment.end() ? nullptr : found->second.c_str();
    });
  }
  std::string File(const std::string& text) const {
    const std::string path = dir_ + "/decreed.toml";
    std::ofstream(path) << text;
    return path;
  }
  // The usage error that these arguments give.
  std::string Refusal(const std::vector<std::string>& arguments) const {
    const ConfigOutcome outcome = Load(arguments);
    EXPECT_FALSE(outcome.run);
    EXPECT_EQ(outcome.exit_code, 2);
    return outcome.text;
  }

  std::map<std::string, std::string> environment;

 private:
  std::string dir_;
};

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(ConfigTest, DataAloneIsEnough) {
  const ConfigOutcome outcome = Load({"--data", "/d"});
  ASSERT_TRUE(outcome.run) << outcome.text;
  const net::ServerOptions& server = outcome.config.server;
  EXPECT_EQ(server.dirs, std::vector<std::string>{"/d"});
  EXPECT_EQ(server.listen, "127.0.0.1:4740");
  EXPECT_EQ(server.http, "127.0.0.1:4780");
  EXPECT_EQ(server.shards, 64u);
  EXPECT_EQ(server.replicas, 3u);
  EXPECT_TRUE(server.join.empty());
  EXPECT_FALSE(server.insecure);
  EXPECT_TRUE(server.consensus.leases);
  EXPECT_EQ(server.consensus.sleep_after, 10s);
  EXPECT_EQ(server.consensus.election_min, 250ms);
  EXPECT_TRUE(outcome.config.for_new_cluster.empty());
}

TEST_F(ConfigTest, WhatOnlyANewClusterTakesIsRememberedWithItsSource) {
  environment = {{"DECREE_REPLICAS", "1"}};
  const ConfigOutcome outcome = Load({"--data", "/d", "--shards", "32"});
  ASSERT_TRUE(outcome.run) << outcome.text;
  EXPECT_EQ(
      outcome.config.for_new_cluster,
      (std::vector<std::string>{"shards 32 (flag)", "replicas 1 (environment DECREE_REPLICAS)"}));
}

TEST_F(ConfigTest, AFlagBeatsTheEnvironmentWhichBeatsTheFileWhichBeatsTheDefault) {
  const std::string file = File("listen = '127.0.0.1:3'\nname = 'file'\nzone = 'file'\n");
  environment = {{"DECREE_LISTEN", "127.0.0.1:2"}, {"DECREE_NAME", "environment"}};
  const ConfigOutcome outcome = Load({"--data", "/d", "--listen", "127.0.0.1:1", "--config", file});
  ASSERT_TRUE(outcome.run) << outcome.text;
  EXPECT_EQ(outcome.config.server.listen, "127.0.0.1:1");
  EXPECT_EQ(outcome.config.server.name, "environment");
  EXPECT_EQ(outcome.config.server.zone, "file");
  EXPECT_EQ(outcome.config.server.http, "127.0.0.1:4780");
}

TEST_F(ConfigTest, PrintConfigNamesTheSourceOfEachValue) {
  const std::string file = File("zone = 'z'\nshards = 8\n");
  environment = {{"DECREE_ADVERTISE_HTTP", "h:1"}, {"DECREE_CONFIG", file}};
  const ConfigOutcome outcome = Load({"--data", "/a", "--data", "/b", "--print-config"});
  EXPECT_FALSE(outcome.run);
  EXPECT_EQ(outcome.exit_code, 0);
  for (const std::string& line :
       {std::string("data = \"/a,/b\"  # flag\n"),
        std::string("advertise-http = \"h:1\"  # environment DECREE_ADVERTISE_HTTP\n"),
        "zone = \"z\"  # file " + file + "\n", "shards = 8  # file " + file + "\n",
        std::string("replicas = 3  # default\n"), std::string("insecure = false  # default\n")}) {
    EXPECT_TRUE(Has(outcome.text, line)) << line << outcome.text;
  }
}

TEST_F(ConfigTest, WhatIsPrintedIsAFileOfTheSameSettings) {
  environment = {
      {"DECREE_NAME", "a \"b\" \\ c\nd"}, {"DECREE_SHARDS", "08"}, {"DECREE_INSECURE", "1"}};
  const ConfigOutcome first = Load({"--data", "/a,b", "--data", "/c", "--print-config"});
  ASSERT_EQ(first.exit_code, 0);
  const std::string file = File(first.text);
  environment = {{"DECREE_CONFIG", file}};
  const ConfigOutcome second = Load({});
  ASSERT_TRUE(second.run) << second.text << first.text;
  EXPECT_EQ(second.config.server.dirs, (std::vector<std::string>{"/a,b", "/c"}));
  EXPECT_EQ(second.config.server.name, "a \"b\" \\ c\nd");
  EXPECT_EQ(second.config.server.shards, 8u);
  EXPECT_TRUE(second.config.server.insecure);
}

TEST_F(ConfigTest, TimesOfTheConsensusAreSetTogetherAndMustFit) {
  const ConfigOutcome outcome = Load({"--data", "/d", "--heartbeat-ms", "200", "--election-min-ms",
                                      "2000", "--election-max-ms", "4000", "--lease-ms", "1500",
                                      "--leases", "off", "--sleep-after-ms", "0"});
  ASSERT_TRUE(outcome.run) << outcome.text;
  const consensus::Options& times = outcome.config.server.consensus;
  EXPECT_EQ(times.heartbeat, 200ms);
  EXPECT_EQ(times.election_min, 2s);
  EXPECT_EQ(times.election_max, 4s);
  EXPECT_EQ(times.lease, 1500ms);
  EXPECT_FALSE(times.leases);
  EXPECT_EQ(times.sleep_after, 0s);
  EXPECT_TRUE(Has(Refusal({"--data", "/d", "--heartbeat-ms", "200"}), "heartbeat"));
  EXPECT_TRUE(Has(Refusal({"--data", "/d", "--heartbeat-ms", "0"}), "heartbeat"));
  EXPECT_TRUE(Has(Refusal({"--data", "/d", "--election-min-ms", "600"}), "election"));
  EXPECT_TRUE(Has(Refusal({"--data", "/d", "--lease-ms", "250"}), "lease"));
}

TEST_F(ConfigTest, ListsComeRepeatedOrWithCommas) {
  const ConfigOutcome flags = Load({"--data", "/d", "--join", "a:1,b:2", "--join", "c:3"});
  ASSERT_TRUE(flags.run) << flags.text;
  EXPECT_EQ(flags.config.server.join, (std::vector<std::string>{"a:1", "b:2", "c:3"}));
  environment = {{"DECREE_JOIN", "a:1, b:2"}, {"DECREE_DATA", "/x,/y"}};
  EXPECT_EQ(Load({}).config.server.join, (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_EQ(Load({}).config.server.dirs, (std::vector<std::string>{"/x", "/y"}));
  const std::string file = File("data = ['/x', '/y']\njoin = 'a:1,b:2'\n");
  environment.clear();
  EXPECT_EQ(Load({"--config", file}).config.server.dirs, (std::vector<std::string>{"/x", "/y"}));
  EXPECT_EQ(Load({"--config", file}).config.server.join.size(), 2u);
}

TEST_F(ConfigTest, AnUnknownKeyIsAnErrorNamingIt) {
  EXPECT_TRUE(Has(Refusal({"--data", "/d", "--lisen", "x"}), "--lisen"));
  const std::string text = Refusal({"--data", "/d", "--config", File("data = '/d'\nshard = 8\n")});
  EXPECT_TRUE(Has(text, "unknown key 'shard'")) << text;
  EXPECT_TRUE(Has(text, "decreed.toml:2")) << text;
}

TEST_F(ConfigTest, AValueOfTheWrongKindIsAnErrorNamingItsSource) {
  EXPECT_TRUE(Has(Refusal({"--config", File("shards = 'many'\n")}), "'shards' must be a number"));
  EXPECT_TRUE(Has(Refusal({"--data", "/d", "--shards", "12x"}), "shards (flag): '12x'"));
  environment = {{"DECREE_INSECURE", "maybe"}};
  EXPECT_TRUE(Has(Refusal({"--data", "/d"}), "insecure (environment DECREE_INSECURE)"));
  environment.clear();
  EXPECT_TRUE(Has(Refusal({"--data", "/d", "--leases", "maybe"}), "leases (flag)"));
  EXPECT_TRUE(Has(Refusal({"--data", "/d", "--log-level", "loud"}), "log-level"));
  EXPECT_TRUE(Has(Refusal({"--config", File("listen = \n")}), "decreed.toml:1"));
  EXPECT_TRUE(Has(Refusal({"--config", "/no/such/file.toml"}), "/no/such/file.toml"));
}

TEST_F(ConfigTest, ValuesThatMakeNoSenseAreRefused) {
  EXPECT_TRUE(Has(Refusal({}), "--data"));
  EXPECT_TRUE(Has(Refusal({"--data", "/d", "--shards", "48"}), "48"));
  EXPECT_TRUE(Has(Refusal({"--data", "/d", "--shards", "8192"}), "8192"));
  EXPECT_TRUE(Has(Refusal({"--data", "/d", "--replicas", "2"}), "replicas"));
  EXPECT_TRUE(Has(Refusal({"--data", "/d", "--listen", "4740"}), "'4740' is not HOST:PORT"));
  EXPECT_TRUE(Has(Refusal({"--data", "/d", "--join", "here"}), "'here' is not HOST:PORT"));
}

TEST_F(ConfigTest, AnAddressThatIsNotLoopbackNeedsInsecure) {
  for (const char* flag : {"--listen", "--http"}) {
    EXPECT_TRUE(Has(Refusal({"--data", "/d", flag, "0.0.0.0:1"}), "loopback"));
    EXPECT_TRUE(Load({"--data", "/d", "--insecure", flag, "0.0.0.0:1"}).run);
  }
  EXPECT_TRUE(Load({"--data", "/d", "--listen", "[::1]:0", "--http", "localhost:0"}).run);
}

TEST_F(ConfigTest, ProtectionThatIsNotThereIsRefused) {
  for (const char* flag : {"--tls-cert", "--tls-key", "--tls-ca", "--auth-file"}) {
    EXPECT_TRUE(Has(Refusal({"--data", "/d", flag, "f"}), std::string(flag).substr(2)));
  }
}

TEST_F(ConfigTest, VersionAndHelpEndWellAndSayWhatTheyAre) {
  EXPECT_TRUE(Has(Load({"--version"}).text, "decreed "));
  EXPECT_EQ(Load({"--version"}).exit_code, 0);
  EXPECT_TRUE(Has(Load({"--help"}).text, "--bootstrap-expect"));
  EXPECT_FALSE(Load({"--help"}).run);
}

TEST(DaemonLogTest, ALineStaysALineWhateverIsInIt) {
  EXPECT_EQ(FormatLogLine(LogFormat::kLogfmt, LogLevel::kWarn, "T", "a \"b\"\n\\"),
            "ts=T level=warn msg=\"a \\\"b\\\"\\u000a\\\\\"");
  EXPECT_EQ(FormatLogLine(LogFormat::kJson, LogLevel::kError, "T", "x"),
            "{\"ts\":\"T\",\"level\":\"error\",\"msg\":\"x\"}");
}

}  // namespace
}  // namespace decree

#include "client/cli/rows.h"

#include <gtest/gtest.h>

#include <sstream>

#include "client/cli/output.h"
#include "kv/base/utf8.h"

namespace decree::cli {
namespace {

const std::string kBinary("\x00\xff\x80 end", 7);

TEST(RowsTest, JsonLinesCarryTextAndBytes) {
  for (const Record& record : {Record{"k", "v"}, Record{"\xc3\xbc\n\"\\", "tab\there"},
                               Record{"k", kBinary}, Record{kBinary, ""}}) {
    const std::string line = ToLine(RecordFormat::kJsonLines, record);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_TRUE(IsUtf8(line));
    const auto back = ParseJsonLine(line);
    ASSERT_TRUE(back) << line << ": " << back.error().ToString();
    EXPECT_EQ(back->key, record.key);
    EXPECT_EQ(back->value, record.value);
  }
}

TEST(RowsTest, TsvCarriesTabsAndLineEnds) {
  const Record record{"a\tb\\", "x\r\ny\t" + kBinary};
  const std::string line = ToLine(RecordFormat::kTsv, record);
  const auto back = ParseTsvLine(line);
  ASSERT_TRUE(back) << back.error().ToString();
  EXPECT_EQ(back->key, record.key);
  EXPECT_EQ(back->value, record.value);
}

TEST(RowsTest, BadLinesSayWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"key":"a")", "not JSON"},
      {R"({"key":"a"})", "\"value\""},
      {R"({"key":1,"value":"v"})", "\"key\""},
      {R"({"key":"a","value":"???","enc":"base64"})", "base64"},
      {R"({"key":"a","value":"b","enc":"hex"})", "\"enc\""},
      {R"([1])", "\"key\""},
  };
  for (const auto& [line, named] : cases) {
    const auto record = ParseJsonLine(line);
    ASSERT_FALSE(record) << line;
    EXPECT_NE(record.error().detail().find(named), std::string::npos) << record.error().detail();
  }
  EXPECT_FALSE(ParseTsvLine("no tab"));
  EXPECT_FALSE(ParseTsvLine("a\tb\\x"));
  EXPECT_FALSE(ParseTsvLine("a\tends in a backslash\\"));
}

TEST(RecordReaderTest, CountsLinesAndGoesOnAfterABadOne) {
  std::istringstream in(
      "\n{\"key\":\"a\",\"value\":\"1\"}\r\n{oops\n\n{\"key\":\"b\",\"value\":\"2\"}");
  RecordReader reader(in);
  EXPECT_EQ((*reader.Next())->key, "a");
  EXPECT_EQ(reader.line(), 2u);
  EXPECT_FALSE(*reader.Next());
  EXPECT_EQ(reader.line(), 3u);
  EXPECT_EQ((*reader.Next())->key, "b");
  EXPECT_EQ(reader.line(), 5u);
  EXPECT_FALSE(reader.Next());
}

TEST(RecordReaderTest, TheFirstLineTellsTheFormat) {
  std::istringstream in("k\tv\n{\"key\"\tis TSV too\n");
  RecordReader reader(in);
  EXPECT_EQ((*reader.Next())->value, "v");
  EXPECT_EQ((*reader.Next())->key, "{\"key\"");
}

TEST(RecordReaderTest, AKeyMayStartWithABraceInBothFormats) {
  const Record tagged{"{user1}/cart", "{\"key\":1}\tand more"};
  for (const RecordFormat format : {RecordFormat::kTsv, RecordFormat::kJsonLines}) {
    std::istringstream in(ToLine(format, tagged) + "\n");
    const auto record = RecordReader(in).Next();
    ASSERT_TRUE(record && *record) << ToLine(format, tagged);
    EXPECT_EQ((*record)->key, tagged.key);
    EXPECT_EQ((*record)->value, tagged.value);
  }
  std::istringstream spaced("{\"key\":\t\"k\", \"value\": \"v\"}\n");
  EXPECT_EQ((*RecordReader(spaced).Next())->key, "k");
}

TEST(EncodingTest, HexTakesBothCasesAndWholeBytesOnly) {
  std::string bytes;
  ASSERT_TRUE(FromHex("00fFa1", &bytes));
  EXPECT_EQ(bytes, std::string("\x00\xff\xa1", 3));
  EXPECT_EQ(ToHex(bytes), "00ffa1");
  EXPECT_FALSE(FromHex("0", &bytes));
  EXPECT_FALSE(FromHex("0g", &bytes));
}

}  // namespace
}  // namespace decree::cli

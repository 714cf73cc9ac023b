// Files that `decree import` reads: each line is a record or refused with its number, and a record
// that is written out comes back as it was.
#include <sstream>

#include "client/cli/rows.h"
#include "tests/fuzz/fuzz_target.h"

namespace decree::fuzz {
namespace {

using cli::Record;
using cli::RecordFormat;

void CheckSame(const Result<Record>& record, const Record& wanted) {
  DECREE_CHECK_MSG(record.has_value(), record ? "" : record.error().ToString());
  DECREE_CHECK(record->key == wanted.key && record->value == wanted.value);
}

// What `decree export` writes of them.
void CheckExport(const std::vector<Record>& records) {
  std::string file;
  for (const Record& record : records) {
    const std::string line = ToLine(RecordFormat::kJsonLines, record);
    DECREE_CHECK(line.find('\n') == std::string::npos);
    CheckSame(cli::ParseJsonLine(line), record);
    CheckSame(cli::ParseTsvLine(ToLine(RecordFormat::kTsv, record)), record);
    file += line + "\n";
  }
  std::istringstream in(file);
  cli::RecordReader reader(in);
  for (const Record& record : records) CheckSame(reader.Next().value(), record);
  DECREE_CHECK(!reader.Next());
  DECREE_CHECK(reader.bytes() == file.size());
}

void Run(std::string_view input) {
  std::istringstream in{std::string(input)};
  cli::RecordReader reader(in);
  std::vector<Record> records;
  std::uint64_t line = 0;
  while (auto record = reader.Next()) {
    DECREE_CHECK(reader.line() > line && reader.bytes() <= input.size() + 1);
    line = reader.line();
    if (*record) records.push_back(std::move(**record));
  }
  CheckExport(records);
}

std::vector<std::string> Seeds() {
  const Record text{"key", "value with a\ttab\nand \\"};
  const Record bytes{"key\xff", std::string("\0\x80", 2)};
  std::vector<std::string> seeds;
  for (const RecordFormat format : {RecordFormat::kJsonLines, RecordFormat::kTsv}) {
    seeds.push_back(ToLine(format, text) + "\r\n\n" + ToLine(format, bytes) + "\n");
  }
  seeds.emplace_back("{\"key\":\"a\",\t\"value\":\"b\"}\n{\"key\":1}\n{\"enc\":\"hex\"}\n");
  seeds.emplace_back("{tag}1\tvalue\n{tag}2\tbad \\x\nno tab\n");
  return seeds;
}

const Registration kRecords{{"records", Run, Seeds}};

}  // namespace
}  // namespace decree::fuzz

// Records as files carry them: JSON lines {"key":..,"value":..} ("enc":"base64" for bytes that are
// no UTF-8) or TSV (key, tab, value, with \t \n \r \\ escaped).
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include "decree/result.h"

namespace decree::cli {

struct Record {
  std::string key;
  std::string value;
};

// {"key","value"}; fields that are not UTF-8 are base64 under the name with the suffix.
boost::json::object KeyValueJson(const std::string& key, const std::string& value,
                                 const std::string& suffix);

// Tabs, line ends and backslashes become \t, \n, \r and \\.
std::string EscapeTsv(std::string_view bytes);

enum class RecordFormat { kJsonLines, kTsv };

Result<Record> ParseJsonLine(const std::string& line);
Result<Record> ParseTsvLine(const std::string& line);
std::string ToLine(RecordFormat format, const Record& record);

// Reads one record after the other; the first line that is not blank tells the format: JSON lines
// start with a brace and have no tab but between tokens.
class RecordReader {
 public:
  explicit RecordReader(std::istream& in) : in_(in) {}

  // Nothing: the end. An error names what is wrong with the line `line()`; reading may go on.
  std::optional<Result<Record>> Next();
  std::uint64_t line() const { return line_; }    // of the last record, from 1
  std::uint64_t bytes() const { return bytes_; }  // read so far

 private:
  std::istream& in_;
  std::optional<RecordFormat> format_;
  std::uint64_t line_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace decree::cli

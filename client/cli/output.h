// What a command prints: aligned tables for people, tab-separated lines for scripts, JSON on
// request.
#pragma once

#include <boost/json.hpp>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace decree::cli {

namespace json = boost::json;

enum class Format { kTable, kPlain, kJson };

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

// kTable: a head line and aligned columns. kPlain: rows only, separated by tabs.
void PrintTable(std::ostream& out, Format format, const Table& table);

// A field as people read it: "-" for null or absent, numbers and strings bare, the rest as JSON.
std::string Field(const json::value& object, std::string_view name);
// The value of a field, null if there is none.
const json::value& At(const json::value& object, std::string_view name);
// A number, or 0.
double Number(const json::value& object, std::string_view name);
// The elements of a field that is an array; none otherwise.
const json::array& List(const json::value& object, std::string_view name);

std::string FormatBytes(double bytes);      // "1.2 MiB"
std::string FormatCount(double count);      // "61,234"
std::string FormatSeconds(double seconds);  // "1m05s"
// A moment as the API gives it (milliseconds since 1970, or text) in local time; "-" for 0.
std::string FormatMoment(const json::value& moment);

bool IsTerminal(int descriptor);

bool FromHex(std::string_view text, std::string* bytes);
std::string ToHex(std::string_view bytes);

}  // namespace decree::cli

#include "client/cli/output.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iostream>

namespace decree::cli {
namespace {

// Columns on the screen: UTF-8 continuation bytes take none.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

void PrintAligned(std::ostream& out, const std::vector<std::string>& row,
                  const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    line += row[i];
    if (i + 1 < row.size()) line.append(widths[i] - Width(row[i]) + 2, ' ');
  }
  out << line << '\n';
}

void PrintTabs(std::ostream& out, const std::vector<std::string>& row) {
  for (std::size_t i = 0; i < row.size(); ++i) out << (i == 0 ? "" : "\t") << row[i];
  out << '\n';
}

std::string Formatted(const char* format, double number, const char* unit) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, number, unit);
  return text.data();
}

}  // namespace

void PrintTable(std::ostream& out, Format format, const Table& table) {
  if (format == Format::kPlain) {
    for (const auto& row : table.rows) PrintTabs(out, row);
    return;
  }
  std::vector<std::size_t> widths;
  for (const std::string& column : table.columns) widths.push_back(Width(column));
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  PrintAligned(out, table.columns, widths);
  for (const auto& row : table.rows) PrintAligned(out, row, widths);
}

const json::value& At(const json::value& object, std::string_view name) {
  static const json::value none;
  const json::object* fields = object.if_object();
  const json::value* field = fields ? fields->if_contains(name) : nullptr;
  return field ? *field : none;
}

std::string Field(const json::value& object, std::string_view name) {
  const json::value& field = At(object, name);
  if (field.is_null()) return "-";
  if (const json::string* text = field.if_string()) return text->empty() ? "-" : text->c_str();
  if (field.is_double()) return Formatted("%.1f%s", field.get_double(), "");
  return json::serialize(field);
}

double Number(const json::value& object, std::string_view name) {
  const json::value& field = At(object, name);
  boost::system::error_code ignored;
  return field.is_number() ? field.to_number<double>(ignored) : 0;
}

const json::array& List(const json::value& object, std::string_view name) {
  static const json::array none;
  const json::array* list = At(object, name).if_array();
  return list ? *list : none;
}

std::string FormatBytes(double bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(units)) {
    bytes /= 1024;
    ++unit;
  }
  return Formatted(unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

std::string FormatCount(double count) {
  std::string digits = std::to_string(std::llround(count));
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > (digits[0] == '-' ? 1 : 0);
       at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

std::string FormatSeconds(double seconds) {
  if (seconds < 10) return Formatted("%.1f%s", seconds, " s");
  const long whole = std::lround(seconds);
  if (whole < 60) return std::to_string(whole) + " s";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%ldm%02lds", whole / 60, whole % 60);
  return text.data();
}

std::string FormatMoment(const json::value& moment) {
  if (const json::string* text = moment.if_string()) return text->empty() ? "-" : text->c_str();
  boost::system::error_code ignored;
  const double ms = moment.is_number() ? moment.to_number<double>(ignored) : 0;
  if (ms <= 0) return "-";
  const auto seconds = static_cast<time_t>(ms / 1000);
  tm local{};
  localtime_r(&seconds, &local);
  std::array<char, 32> text{};
  strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
  return text.data();
}

bool IsTerminal(int descriptor) { return isatty(descriptor) == 1; }

}  // namespace decree::cli

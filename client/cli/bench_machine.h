// What every report of a benchmark says of the machine, and how figures are written.
#pragma once

#include <string>
#include <vector>

#include "client/cli/output.h"

namespace decree::cli {

json::object MachineJson(double sync_us);
// Median fdatasync of 4 KiB into a new file in this directory, in microseconds; 0: not possible.
double MeasureSync(const std::string& directory);
double Median(const std::vector<double>& sorted);  // 0 of nothing
std::string Digits(const json::value& value, int digits = 2);

}  // namespace decree::cli

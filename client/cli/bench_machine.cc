#include "client/cli/bench_machine.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

namespace decree::cli {
namespace {

using Clock = std::chrono::steady_clock;

std::string ProcessorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace

json::object MachineJson(double sync_us) {
  utsname name{};
  uname(&name);
  return {{"cpus", std::thread::hardware_concurrency()},
          {"processor", ProcessorName()},
          {"kernel", name.release},
          {"fdatasync_4k_median_us", sync_us}};
}

double MeasureSync(const std::string& directory) {
  constexpr int kTimes = 51;
  const std::string path = directory + "/sync-probe";
  const int file = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) return 0;
  const std::string block(4096, 's');
  std::vector<double> took;
  for (int i = 0; i < kTimes; ++i) {
    const auto began = Clock::now();
    const ssize_t written = pwrite(file, block.data(), block.size(), i * 4096);
    if (written < 0 || fdatasync(file) != 0) break;
    took.push_back(std::chrono::duration<double, std::micro>(Clock::now() - began).count());
  }
  close(file);
  unlink(path.c_str());
  std::sort(took.begin(), took.end());
  return Median(took);
}

double Median(const std::vector<double>& sorted) {
  return sorted.empty() ? 0 : sorted[sorted.size() / 2];
}

std::string Digits(const json::value& value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value.to_number<double>());
  return text;
}

}  // namespace decree::cli

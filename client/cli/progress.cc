#include "client/cli/progress.h"

#include <algorithm>
#include <ostream>

#include "client/cli/output.h"

namespace decree::cli {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kLineEvery = std::chrono::seconds(5);
constexpr std::size_t kBarWidth = 28;

}  // namespace

Progress::Progress(std::ostream& out, bool terminal, std::string name, std::uint64_t total)
    : out_(out), terminal_(terminal), name_(std::move(name)), total_(total) {
  next_ = started_ + (terminal_ ? Clock::duration::zero() : Clock::duration(kLineEvery));
}

Progress::~Progress() {
  if (open_) out_ << std::endl;
}

void Progress::Update(std::uint64_t done, const std::string& note) {
  const auto now = Clock::now();
  if (now < next_ || (total_ > 0 && done >= total_)) return;  // the end is for Finish to say
  next_ = now + (terminal_ ? Clock::duration(kRedraw) : Clock::duration(kLineEvery));
  Draw(done, note);
}

void Progress::Finish(std::uint64_t done, const std::string& note) {
  Draw(done, note);
  if (open_) out_ << std::endl;
  open_ = false;
}

void Progress::Draw(std::uint64_t done, const std::string& note) {
  if (terminal_) {
    out_ << "\r\x1b[K" << Line(done, note) << std::flush;
    open_ = true;
  } else {
    out_ << Line(done, note) << std::endl;
  }
}

std::string Progress::Line(std::uint64_t done, const std::string& note) const {
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  std::string line = name_;
  if (total_ > 0) {
    const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
    const auto full = static_cast<std::size_t>(part * kBarWidth);
    line += " [" + std::string(full, '#') + std::string(kBarWidth - full, '.') + "] " +
            std::to_string(static_cast<int>(part * 100)) + " %";
    if (part > 0.02 && part < 1) line += ", " + FormatSeconds(seconds / part - seconds) + " left";
  }
  if (!note.empty()) line += "  " + note;
  return line + "  (" + FormatSeconds(seconds) + ")";
}

}  // namespace decree::cli

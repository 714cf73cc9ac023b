#include "tests/sim/shorten.h"

#include <algorithm>
#include <vector>

namespace decree::sim {
namespace {

std::vector<FaultNumbers> Divide(const FaultNumbers& all, std::size_t parts) {
  std::vector<FaultNumbers> divided(parts);
  std::size_t i = 0;
  for (const std::uint32_t number : all) divided[i++ * parts / all.size()].insert(number);
  return divided;
}

FaultNumbers Without(FaultNumbers all, const FaultNumbers& some) {
  for (const std::uint32_t number : some) all.erase(number);
  return all;
}

class Search {
 public:
  Search(const std::function<bool(const FaultNumbers&)>& fails, std::size_t max_runs)
      : fails_(fails), max_runs_(max_runs) {}

  Shortened From(const FaultNumbers& all) {
    FaultNumbers kept = Fails({}) ? FaultNumbers() : all;
    std::size_t parts = 2;
    while (kept.size() > 1 && !UsedUp()) {
      parts = std::min(parts, kept.size());
      if (Narrow(&kept, &parts)) continue;
      if (parts == kept.size()) break;
      parts *= 2;
    }
    return {kept, runs_, !UsedUp()};
  }

 private:
  bool UsedUp() const { return runs_ >= max_runs_; }
  bool Fails(const FaultNumbers& some) { return !UsedUp() && (++runs_, fails_(some)); }

  // One part alone, or all but one part.
  bool Narrow(FaultNumbers* kept, std::size_t* parts) {
    const std::vector<FaultNumbers> divided = Divide(*kept, *parts);
    for (const FaultNumbers& part : divided) {
      if (!Fails(part)) continue;
      *kept = part;
      *parts = 2;
      return true;
    }
    for (const FaultNumbers& part : divided) {
      const FaultNumbers rest = Without(*kept, part);
      if (*parts == 2 || !Fails(rest)) continue;  // of two parts, either was tried alone
      *kept = rest;
      *parts = std::max<std::size_t>(*parts - 1, 2);
      return true;
    }
    return false;
  }

  const std::function<bool(const FaultNumbers&)>& fails_;
  const std::size_t max_runs_;
  std::size_t runs_ = 0;
};

}  // namespace

Shortened Shorten(const FaultNumbers& all, const std::function<bool(const FaultNumbers&)>& fails,
                  std::size_t max_runs) {
  return Search(fails, max_runs).From(all);
}

}  // namespace decree::sim

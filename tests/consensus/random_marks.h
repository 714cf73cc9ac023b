// Marks that random schedules of bare replicas reach every time, and whole nodes next to never: it
// takes thousands of elections. random_test asks for them, so decree-sim need not.
#pragma once

#include <array>
#include <string_view>

namespace decree::consensus::testing {

inline constexpr std::array<std::string_view, 1> kMarksOfBareReplicas = {
    "consensus_promise_rendered_anew"};

}  // namespace decree::consensus::testing

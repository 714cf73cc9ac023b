// The manual page of the command line.
#pragma once

#include <string>

#include "client/cli/command_tree.h"

namespace decree::cli {

// Troff with the man macros.
std::string ManualPage(const CommandWords& program);

}  // namespace decree::cli

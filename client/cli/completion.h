// Scripts that let a shell complete decree's commands and options.
#pragma once

#include <string>

#include "client/cli/command_tree.h"

namespace decree::cli {

std::string BashCompletion(const CommandWords& program);
std::string ZshCompletion(const CommandWords& program);

}  // namespace decree::cli

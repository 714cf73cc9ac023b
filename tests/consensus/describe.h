// Messages, decrees and log records as short text, for traces.
#pragma once

#include <string>

#include "consensus/messages.h"
#include "consensus/output.h"

namespace decree::consensus::testing {

std::string Describe(const Message& message);
std::string Describe(const Decree& decree);
std::string Describe(const Persist& record);

}  // namespace decree::consensus::testing

// Whether bytes are text. JSON is always UTF-8; keys, values, names and targets may be any bytes.
#pragma once

#include <string>
#include <string_view>

namespace decree {

// No overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view bytes);
// Bytes that belong to no character become question marks. For words to people: it loses what it
// replaces.
std::string ToUtf8(std::string bytes);

}  // namespace decree

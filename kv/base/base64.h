// Base64 (RFC 4648, section 4, with padding): how bytes that are no text get through JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace decree {

std::string ToBase64(std::string_view bytes);
// Nullopt: a character that is no digit, or a length that no encoding has.
std::optional<std::string> FromBase64(std::string_view text);

}  // namespace decree

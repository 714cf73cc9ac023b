// The description of the HTTP interface that GET /openapi.json answers (server/openapi.yaml).
#pragma once

#include <string_view>

namespace decree::net {

extern const std::string_view kOpenApi;  // JSON

}  // namespace decree::net

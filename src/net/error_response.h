// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one JSON shape of failure: {"error": {"code", "message", "hint", "reason"?, "retry_after"?,
// "docs"}}. The operator's detail() is not in it. Pure; any thread.
#include <string_view>

#include "base/error.h"
#include "net/server_message.h"

namespace brickgate {

// Header lines of every JSON answer, each ended by CRLF: type, nosniff, no-store, CSP, no framing,
// no referrer (security design A1).
extern std::string_view const json_header_lines;
void add_json_headers(ServerResponse& response);
ServerResponse json_response(int status, std::string body);

std::string error_body(Error const& error);
ServerResponse error_response(Error const& error);

}  // namespace brickgate

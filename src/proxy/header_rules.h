// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which header fields pass (T38, T40 to T42, T44). Towards the workspace: a list of what may, since
// every other field is a way to be somebody else. Back: all but what would act on our origin, on
// the connection or on a server in front of us. Fields that a message nominates in Connection go
// first, so that nobody can nominate away what we add. Names and values are checked even where they
// are dropped. Pure; any thread. On an error nothing is appended.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/server_message.h"

namespace brickgate {

// An honest client nominates one or two; each is compared with every field.
inline constexpr std::size_t connection_nominations_max = 16;

struct RequestHeaderRules {
    // Names that the operator lets through besides the list. Credentials, routing and hop-by-hop
    // fields never pass, listed or not.
    std::vector<std::string> extra_allowed = {};
    std::string user_agent_suffix = {};  // "brickgate/1.0": added to the caller's own
};

// The one place where header lines are written: "Name: value\r\n". Refuses, and appends nothing,
// if the name is no token or the value holds a control character.
[[nodiscard]] bool append_header_line(std::string& out, std::string_view name,
                                      std::string_view value);

// What passes of a caller's fields, and ours; never Authorization, Host or framing: the sender's.
// Errors: invalid_request (a bad name or value, too many nominations).
// `workspace_id`: the row's; sent where not empty.
Result<void> append_request_headers(std::string& out, std::span<HeaderField const> from,
                                    RequestHeaderRules const& rules,
                                    std::string_view workspace_id = {});

// What passes of a workspace's fields, and what makes its answer harmless in a browser; never Date,
// Connection or framing: the session's. Errors: upstream_malformed.
Result<void> append_response_headers(std::string& out, std::span<HeaderField const> from);

}  // namespace brickgate

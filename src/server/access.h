// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who is calling: an API key in the Authorization header, or a process of our own user on the data
// folder's socket. Never a query parameter, never a cookie. Any thread.
#include "base/result.h"
#include "net/server_message.h"
#include "vault/api_keys.h"

namespace brickgate {

inline constexpr std::string_view right_token = "token:read";
inline constexpr std::string_view right_connections = "connections";
inline constexpr std::string_view right_admin = "admin";

// Errors: unauthorized, forbidden (the message names the right).
Result<Caller> authorize(ServerRequest const& request, ApiKeys const& keys, std::string_view right);

}  // namespace brickgate

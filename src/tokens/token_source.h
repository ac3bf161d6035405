// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whatever can give a valid access token now. One method, so that caches, limits and other grants
// compose.

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/secret.h"
#include "net/task.h"

namespace brickgate {

struct TokenView {  // what a caller may see; never a refresh token
    Secret access_token;
    std::string token_type;
    Time expires_at{};
    std::uint64_t generation = 0;
    std::string fingerprint;  // keyed, hex
    std::string scopes;
    std::string workspace;          // origin of the only host that this token may be sent to
    bool session_only = false;      // no refresh token: ends with this token
    std::string workspace_id = {};  // Connection::workspace_id: calls must name it

    TokenView clone() const {
        return {access_token.clone(), token_type, expires_at, generation,
                fingerprint,          scopes,     workspace,  session_only,
                workspace_id};
    }
};

struct TokenWish {
    Seconds min_valid{
        0};  // capped at half the token's life, or short tokens would refresh at each call
    std::optional<std::uint64_t> newer_than;  // a generation that Databricks rejected
};

class TokenSource {
 public:
    virtual ~TokenSource() = default;
    // Errors: connection_unknown, reauth_required, refresh_pending (with retry_after),
    // disconnected, quarantined, app_fault, host_blocked, store_unavailable. An expired token is
    // never a result.
    virtual Task<Result<TokenView>> token(ConnectionId id, TokenWish wish) = 0;
};

}  // namespace brickgate

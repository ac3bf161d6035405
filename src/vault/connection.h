// SPDX-License-Identifier: Apache-2.0
#pragma once
// The record of one grant: who signed in where, and how its tokens fare (security design D.3, D.4).
// Holds no secret: tokens are sealed blobs that only Vault opens. A value; any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "oauth/types.h"

namespace brickgate {

enum class ConnectionState : std::uint8_t {
    pending,
    active,
    uncertain,
    host_blocked,
    reauth_required,
    quarantined,
    disconnected
};
enum class ReauthReason : std::uint8_t {
    none,
    revoked,
    expired_idle,
    session_ended,
    outcome_lost,
    restored,
    identity_changed
};
std::string_view to_string(ConnectionState state);
std::string_view to_string(ReauthReason reason);
std::optional<ConnectionState> connection_state_from(std::string_view name);
std::optional<ReauthReason> reauth_reason_from(std::string_view name);

struct Principal {
    std::string sub;  // the id_token's, else SCIM's id: pinned at the first sign-in
    std::string user_name;
    std::string display_name;
};

// A durable promise to present one generation of the refresh token; only its node may present that
// generation until the outcome is known (D.5: the owner-held intent).
struct Intent {
    std::string node;
    std::string boot;
    std::string attempt;
    std::uint64_t generation = 0;
    Time at{};
    unsigned presented = 0;  // how often this generation may have reached the server
};

struct Lease {
    std::string node;
    std::uint64_t epoch = 0;  // only grows: the fence of failure writes
    std::optional<Time> until;
};

struct Connection {
    ConnectionId id;
    std::string tenant;  // "default" until there are tenants
    RegistrationId registration;
    std::string subject;  // the app's own name for its user; may be empty
    Issuer issuer;
    std::string workspace;  // WorkspaceHost::origin(), e.g. https://dbc-a1b2.cloud.databricks.com
    // On a unified host, which of its workspaces (facts 1.3): calls must say so. Else empty.
    std::string workspace_id;
    std::string token_endpoint;  // same origin as the issuer unless the operator configured it
    Principal principal;
    Scopes scopes;

    ConnectionState state = ConnectionState::pending;
    ReauthReason reason = ReauthReason::none;  // never none in reauth_required
    Time state_since{};

    std::uint64_t family = 1;      // grows with every sign-in
    std::uint64_t generation = 1;  // grows with every refresh
    std::string sealed_access;
    std::string sealed_refresh;        // empty: a session-only grant
    std::string sealed_alt_refresh;    // a good token that could not be the current one (D.5 T4)
    std::string previous_fingerprint;  // keyed fingerprints of access tokens, hex
    std::string current_fingerprint;
    std::string token_type;

    Time access_issued_at{};
    Time access_expires_at{};
    std::optional<Time> refresh_expires_at;
    std::optional<Time> session_ends_at;
    std::optional<Time> refresh_due_at;   // the schedule; a claim ignores it
    std::optional<Time> next_attempt_at;  // back-off only; cleared by a save
    unsigned fail_count = 0;
    std::string last_error;  // an ErrorCode's name and our sentence; never theirs

    Lease lease;
    std::optional<Intent> intent;
    std::string last_attempt;  // attempt id of the last committed success
    unsigned same_refresh_token_count =
        0;  // three in a row teach us that the server does not rotate

    Time created_at{};
    Time updated_at{};
};

}  // namespace brickgate

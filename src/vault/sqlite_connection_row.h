// SPDX-License-Identifier: Apache-2.0
#pragma once
// One row of the table connection, and the words that its statements share. Private to the SQLite
// store.
#include "vault/connection.h"
#include "vault/sqlite_rows.h"

namespace brickgate {

// In the order in which read_connection() takes them.
inline std::string const connection_columns =
    "id, tenant, registration, subject, issuer, workspace, token_endpoint, sub, user_name, "
    "display_name, scopes, state, reason, state_since, family, generation, sealed_access, "
    "sealed_refresh, sealed_alt_refresh, previous_fingerprint, current_fingerprint, token_type, "
    "access_issued_at, access_expires_at, refresh_expires_at, session_ends_at, refresh_due_at, "
    "next_attempt_at, fail_count, last_error, lease_node, lease_epoch, lease_until, intent_node, "
    "intent_boot, intent_attempt, intent_generation, intent_at, presented, last_attempt, "
    "same_refresh_token_count, created_at, updated_at, workspace_id ";

// Ends intent and lease.
inline std::string const no_intent =
    "intent_node = NULL, intent_boot = NULL, intent_attempt = NULL, intent_generation = NULL, "
    "intent_at = NULL, presented = 0, lease_node = '', lease_until = NULL ";

Connection read_connection(sqlite::Row& row);

inline std::optional<std::string> text_of(std::optional<ConnectionState> state) {
    if (!state) {
        return std::nullopt;
    }
    return std::string(to_string(*state));
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// The tables, as numbered migrations: each runs once, in order, inside one transaction with the
// number it brings the database to. Never edit one that was released; add the next.
#include <array>
#include <string_view>

namespace brickgate {

// Times are milliseconds of Unix time; NULL is "none". Blobs are sealed records.
inline constexpr std::array<std::string_view, 5> migrations{R"sql(
CREATE TABLE connection (
  pk INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, registration TEXT NOT NULL,
  subject TEXT NOT NULL, issuer TEXT NOT NULL, workspace TEXT NOT NULL, token_endpoint TEXT NOT NULL,
  sub TEXT NOT NULL, user_name TEXT NOT NULL, display_name TEXT NOT NULL, scopes TEXT NOT NULL,
  state TEXT NOT NULL, reason TEXT NOT NULL, state_since INTEGER NOT NULL,
  family INTEGER NOT NULL, generation INTEGER NOT NULL,
  sealed_access BLOB NOT NULL, sealed_refresh BLOB NOT NULL, sealed_alt_refresh BLOB NOT NULL,
  previous_fingerprint TEXT NOT NULL, current_fingerprint TEXT NOT NULL, token_type TEXT NOT NULL,
  access_issued_at INTEGER NOT NULL, access_expires_at INTEGER NOT NULL,
  refresh_expires_at INTEGER, session_ends_at INTEGER, refresh_due_at INTEGER, next_attempt_at INTEGER,
  fail_count INTEGER NOT NULL, last_error TEXT NOT NULL,
  lease_node TEXT NOT NULL, lease_epoch INTEGER NOT NULL, lease_until INTEGER,
  intent_node TEXT, intent_boot TEXT, intent_attempt TEXT, intent_generation INTEGER, intent_at INTEGER,
  presented INTEGER NOT NULL, last_attempt TEXT NOT NULL, same_refresh_token_count INTEGER NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX connection_due ON connection (refresh_due_at)
  WHERE refresh_due_at IS NOT NULL AND state IN ('active', 'uncertain', 'host_blocked');
CREATE UNIQUE INDEX connection_of ON connection (registration, workspace, sub, subject)
  WHERE state <> 'disconnected';
CREATE INDEX connection_intent ON connection (intent_node) WHERE intent_node IS NOT NULL;
CREATE TABLE login (
  state_hash BLOB PRIMARY KEY, cookie_hash BLOB NOT NULL, registration TEXT NOT NULL, workspace TEXT NOT NULL,
  issuer TEXT NOT NULL, token_endpoint TEXT NOT NULL, jwks_uri TEXT NOT NULL, iss_required INTEGER NOT NULL,
  redirect_uri TEXT NOT NULL, scopes TEXT NOT NULL, subject TEXT NOT NULL, return_to TEXT NOT NULL,
  sealed BLOB NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX login_expiry ON login (expires_at);
CREATE TABLE api_key (
  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, rights TEXT NOT NULL, not_after INTEGER,
  mac BLOB NOT NULL, created_at INTEGER NOT NULL, revoked_at INTEGER
) STRICT;
CREATE TABLE data_key (
  id INTEGER PRIMARY KEY, purpose TEXT NOT NULL, state TEXT NOT NULL, root_id INTEGER NOT NULL,
  wrapped BLOB NOT NULL, commitment BLOB NOT NULL, created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE event (
  seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL, connection TEXT NOT NULL, data TEXT NOT NULL
) STRICT;
CREATE INDEX event_of ON event (connection, seq);
)sql",
                                                            R"sql(
DROP INDEX connection_due;
CREATE INDEX connection_due
  ON connection (refresh_due_at, next_attempt_at, access_expires_at, registration, workspace, state)
  WHERE refresh_due_at IS NOT NULL AND state IN ('active', 'uncertain', 'host_blocked');
)sql",
                                                            R"sql(
ALTER TABLE api_key ADD COLUMN leaked_at INTEGER;
CREATE TABLE capability (
  id TEXT PRIMARY KEY, connection TEXT NOT NULL, name TEXT NOT NULL, methods TEXT NOT NULL, paths TEXT NOT NULL,
  not_after INTEGER, mac BLOB NOT NULL, created_at INTEGER NOT NULL, revoked_at INTEGER, leaked_at INTEGER
) STRICT;
CREATE INDEX capability_of ON capability (connection);
)sql",
                                                            R"sql(
ALTER TABLE connection ADD COLUMN workspace_id TEXT NOT NULL DEFAULT '';
ALTER TABLE login ADD COLUMN workspace_id TEXT NOT NULL DEFAULT '';
DROP INDEX connection_of;
CREATE UNIQUE INDEX connection_of ON connection (registration, workspace, workspace_id, sub, subject)
  WHERE state <> 'disconnected';
)sql",
                                                            // Which data key a record names (C.3).
                                                            R"sql(
CREATE INDEX connection_access_key ON connection (substr(sealed_access, 3, 4));
CREATE INDEX connection_refresh_key ON connection (substr(sealed_refresh, 3, 4));
CREATE INDEX connection_alternative_key ON connection (substr(sealed_alt_refresh, 3, 4))
  WHERE length(sealed_alt_refresh) > 0;
CREATE INDEX login_key ON login (substr(sealed, 3, 4));
)sql"};

}  // namespace brickgate

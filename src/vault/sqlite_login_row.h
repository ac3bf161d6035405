// SPDX-License-Identifier: Apache-2.0
#pragma once
// One row of the table login. Private to the SQLite store.
#include "vault/sqlite_rows.h"
#include "vault/store.h"

namespace brickgate {

// In the order in which read_login() takes them.
inline std::string const login_columns =
    "state_hash, cookie_hash, registration, workspace, issuer, token_endpoint, jwks_uri, "
    "iss_required, redirect_uri, scopes, subject, return_to, sealed, created_at, expires_at, "
    "workspace_id ";

inline LoginRow read_login(sqlite::Row& row) {
    LoginRow login;
    login.state_hash = row.text();
    login.cookie_hash = row.text();
    login.registration = RegistrationId(row.text());
    login.workspace = row.text();
    login.issuer = Issuer(row.text());
    login.token_endpoint = row.text();
    login.jwks_uri = row.text();
    login.iss_required = row.integer() != 0;
    login.redirect_uri = row.text();
    login.scopes = row.text();
    login.subject = row.text();
    login.return_to = row.text();
    login.sealed = row.text();
    login.created_at = row.time();
    login.expires_at = row.time();
    login.workspace_id = row.text();
    return login;
}

}  // namespace brickgate

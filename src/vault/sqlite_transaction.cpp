// SPDX-License-Identifier: Apache-2.0
#include "vault/sqlite_transaction.h"

#include "vault/sqlite_rows.h"

namespace brickgate {

namespace {

using sqlite::all;
using sqlite::any;
using sqlite::Blob;
using sqlite::ignore_count;
using sqlite::one;
using sqlite::Row;

LoginRow read_login(Row& row) {
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
    return login;
}

ApiKeyRow read_api_key(Row& row) {
    ApiKeyRow key;
    key.id = row.text();
    key.tenant = row.text();
    key.name = row.text();
    key.rights = row.text();
    key.not_after = row.maybe_time();
    key.mac = row.text();
    key.created_at = row.time();
    key.revoked_at = row.maybe_time();
    return key;
}

}  // namespace

Result<void> SqliteTransaction::insert_login(LoginRow const& row) {
    return ignore_count(database_.run(
        "INSERT INTO login (state_hash, cookie_hash, registration, workspace, issuer, "
        "token_endpoint, jwks_uri, "
        "iss_required, redirect_uri, scopes, subject, return_to, sealed, created_at, expires_at) "
        "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        Blob{row.state_hash}, Blob{row.cookie_hash}, row.registration.value(), row.workspace,
        row.issuer.value(), row.token_endpoint, row.jwks_uri, row.iss_required, row.redirect_uri,
        row.scopes, row.subject, row.return_to, Blob{row.sealed}, row.created_at, row.expires_at));
}

Result<std::optional<LoginRow>> SqliteTransaction::take_login(std::string const& state_hash) {
    std::optional<LoginRow> found;
    auto const done = database_.query(
        "DELETE FROM login WHERE state_hash = ? RETURNING state_hash, cookie_hash, registration, "
        "workspace, issuer, "
        "token_endpoint, jwks_uri, iss_required, redirect_uri, scopes, subject, return_to, sealed, "
        "created_at, "
        "expires_at",
        [&](Row& row) { found = read_login(row); }, Blob{state_hash});
    return one(done, found);
}

Result<std::size_t> SqliteTransaction::count_logins() {
    std::size_t count = 0;
    auto const done =
        database_.query("SELECT count(*) FROM login", [&](Row& row) { count = row.count(); });
    if (!done) {
        return fail(done.error());
    }
    return count;
}

Result<std::size_t> SqliteTransaction::delete_logins_expired_before(Time now) {
    return database_.run("DELETE FROM login WHERE expires_at <= ?", now);
}

Result<void> SqliteTransaction::insert_api_key(ApiKeyRow const& k) {
    return ignore_count(database_.run(
        "INSERT INTO api_key (id, tenant, name, rights, not_after, mac, created_at, revoked_at) "
        "VALUES (?,?,?,?,?,?,?,?)",
        k.id, k.tenant, k.name, k.rights, k.not_after, Blob{k.mac}, k.created_at, k.revoked_at));
}

Result<std::optional<ApiKeyRow>> SqliteTransaction::find_api_key(std::string const& id) {
    std::optional<ApiKeyRow> found;
    auto const done = database_.query(
        "SELECT id, tenant, name, rights, not_after, mac, created_at, revoked_at FROM api_key "
        "WHERE id = ?",
        [&](Row& row) { found = read_api_key(row); }, id);
    return one(done, found);
}

Result<std::vector<ApiKeyRow>> SqliteTransaction::list_api_keys() {
    std::vector<ApiKeyRow> found;
    auto const done = database_.query(
        "SELECT id, tenant, name, rights, not_after, mac, created_at, revoked_at FROM api_key "
        "ORDER BY created_at, id",
        [&](Row& row) { found.push_back(read_api_key(row)); });
    return all(done, found);
}

Result<bool> SqliteTransaction::revoke_api_key(std::string const& id, Time now) {
    return any(database_.run(
        "UPDATE api_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", now, id));
}

Result<std::vector<KeyRow>> SqliteTransaction::list_keys() {
    std::vector<KeyRow> found;
    auto const done = database_.query(
        "SELECT id, purpose, state, root_id, wrapped, commitment, created_at FROM data_key ORDER "
        "BY id",
        [&](Row& row) {
            KeyRow key;
            key.id = static_cast<std::uint32_t>(row.integer());
            key.purpose = row.text();
            key.state = row.text();
            key.root_id = static_cast<std::uint32_t>(row.integer());
            key.wrapped = row.text();
            key.commitment = row.text();
            key.created_at = row.time();
            found.push_back(std::move(key));
        });
    return all(done, found);
}

Result<void> SqliteTransaction::put_key(KeyRow const& k) {
    return ignore_count(database_.run(
        "INSERT OR REPLACE INTO data_key (id, purpose, state, root_id, wrapped, commitment, "
        "created_at) "
        "VALUES (?,?,?,?,?,?,?)",
        k.id, k.purpose, k.state, k.root_id, Blob{k.wrapped}, Blob{k.commitment}, k.created_at));
}

Result<std::optional<std::string>> SqliteTransaction::get_meta(std::string const& name) {
    std::optional<std::string> found;
    auto const done = database_.query(
        "SELECT value FROM meta WHERE name = ?", [&](Row& row) { found = row.text(); }, name);
    return one(done, found);
}

Result<void> SqliteTransaction::put_meta(std::string const& name, std::string const& value) {
    return ignore_count(
        database_.run("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", name, value));
}

Result<void> SqliteTransaction::append_event(EventRow const& e) {
    return ignore_count(
        database_.run("INSERT INTO event (at, type, connection, data) VALUES (?,?,?,?)", e.at,
                      e.type, e.connection, e.data));
}

Result<std::vector<EventRow>> SqliteTransaction::events_of(ConnectionId const& id,
                                                           std::size_t limit) {
    std::vector<EventRow> found;
    auto const done = database_.query(
        "SELECT seq, at, type, connection, data FROM event WHERE connection = ? ORDER BY seq DESC "
        "LIMIT ?",
        [&](Row& row) {
            EventRow event;
            event.seq = row.count();
            event.at = row.time();
            event.type = row.text();
            event.connection = row.text();
            event.data = row.text();
            found.push_back(std::move(event));
        },
        id.value(), static_cast<std::uint64_t>(limit));
    return all(done, found);
}

}  // namespace brickgate

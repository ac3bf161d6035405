// SPDX-License-Identifier: Apache-2.0
#include "vault/sqlite_transaction.h"

#include "vault/sqlite_login_row.h"

namespace brickgate {

namespace {

using sqlite::all;
using sqlite::any;
using sqlite::Blob;
using sqlite::ignore_count;
using sqlite::one;
using sqlite::Row;

}  // namespace

Result<void> SqliteTransaction::insert_login(LoginRow const& row) {
    return ignore_count(database_.run(
        "INSERT INTO login (state_hash, cookie_hash, registration, workspace, issuer, "
        "token_endpoint, jwks_uri, "
        "iss_required, redirect_uri, scopes, subject, return_to, sealed, created_at, expires_at, "
        "workspace_id) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        Blob{row.state_hash}, Blob{row.cookie_hash}, row.registration.value(), row.workspace,
        row.issuer.value(), row.token_endpoint, row.jwks_uri, row.iss_required, row.redirect_uri,
        row.scopes, row.subject, row.return_to, Blob{row.sealed}, row.created_at, row.expires_at,
        row.workspace_id));
}

Result<std::optional<LoginRow>> SqliteTransaction::take_login(std::string const& state_hash) {
    static std::string const sql =
        "DELETE FROM login WHERE state_hash = ? RETURNING " + login_columns;
    std::optional<LoginRow> found;
    auto const done =
        database_.query(sql, [&](Row& row) { found = read_login(row); }, Blob{state_hash});
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

// SPDX-License-Identifier: Apache-2.0
#include "vault/sqlite_connection_row.h"
#include "vault/sqlite_transaction.h"

namespace brickgate {

namespace {

using sqlite::all;
using sqlite::any;
using sqlite::Blob;
using sqlite::ignore_count;
using sqlite::one;
using sqlite::Row;

}  // namespace

Connection read_connection(Row& row) {
    Connection c;
    c.id = ConnectionId(row.text());
    c.tenant = row.text();
    c.registration = RegistrationId(row.text());
    c.subject = row.text();
    c.issuer = Issuer(row.text());
    c.workspace = row.text();
    c.token_endpoint = row.text();
    c.principal.sub = row.text();
    c.principal.user_name = row.text();
    c.principal.display_name = row.text();
    c.scopes = Scopes::parse(row.text()).value_or(Scopes());
    c.state = connection_state_from(row.text()).value_or(ConnectionState::quarantined);
    c.reason = reauth_reason_from(row.text()).value_or(ReauthReason::none);
    c.state_since = row.time();
    c.family = row.count();
    c.generation = row.count();
    c.sealed_access = row.text();
    c.sealed_refresh = row.text();
    c.sealed_alt_refresh = row.text();
    c.previous_fingerprint = row.text();
    c.current_fingerprint = row.text();
    c.token_type = row.text();
    c.access_issued_at = row.time();
    c.access_expires_at = row.time();
    c.refresh_expires_at = row.maybe_time();
    c.session_ends_at = row.maybe_time();
    c.refresh_due_at = row.maybe_time();
    c.next_attempt_at = row.maybe_time();
    c.fail_count = static_cast<unsigned>(row.integer());
    c.last_error = row.text();
    c.lease.node = row.text();
    c.lease.epoch = row.count();
    c.lease.until = row.maybe_time();
    auto node = row.maybe_text();
    Intent intent;
    intent.boot = row.maybe_text().value_or("");
    intent.attempt = row.maybe_text().value_or("");
    intent.generation = row.count();
    intent.at = row.time();
    intent.presented = static_cast<unsigned>(row.integer());
    if (node) {
        intent.node = std::move(*node);
        c.intent = std::move(intent);
    }
    c.last_attempt = row.text();
    c.same_refresh_token_count = static_cast<unsigned>(row.integer());
    c.created_at = row.time();
    c.updated_at = row.time();
    c.workspace_id = row.text();
    return c;
}

Result<void> SqliteTransaction::insert_connection(Connection const& c) {
    // A new row has no intent and no lease: both come with a claim only.
    static std::string const sql =
        "INSERT INTO connection (" + connection_columns +
        ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,'',?,NULL,NULL,NULL,"
        "NULL,NULL,NULL,0,?,?,?,?,?)";
    return ignore_count(database_.run(
        sql, c.id.value(), c.tenant, c.registration.value(), c.subject, c.issuer.value(),
        c.workspace, c.token_endpoint, c.principal.sub, c.principal.user_name,
        c.principal.display_name, c.scopes.to_string(), to_string(c.state), to_string(c.reason),
        c.state_since, c.family, c.generation, Blob{c.sealed_access}, Blob{c.sealed_refresh},
        Blob{c.sealed_alt_refresh}, c.previous_fingerprint, c.current_fingerprint, c.token_type,
        c.access_issued_at, c.access_expires_at, c.refresh_expires_at, c.session_ends_at,
        c.refresh_due_at, c.next_attempt_at, c.fail_count, c.last_error, c.lease.epoch,
        c.last_attempt, c.same_refresh_token_count, c.created_at, c.updated_at, c.workspace_id));
}

Result<std::optional<Connection>> SqliteTransaction::find_connection(ConnectionId const& id) {
    static std::string const sql = "SELECT " + connection_columns + "FROM connection WHERE id = ?";
    std::optional<Connection> found;
    auto const done =
        database_.query(sql, [&](Row& row) { found = read_connection(row); }, id.value());
    return one(done, found);
}

Result<std::optional<Connection>> SqliteTransaction::find_connection_of(Connection const& wanted) {
    static std::string const sql =
        "SELECT " + connection_columns +
        "FROM connection WHERE registration = ? AND workspace = ? AND workspace_id = ? AND sub = ? "
        "AND subject = ? AND state <> 'disconnected'";
    std::optional<Connection> found;
    auto const done = database_.query(
        sql, [&](Row& row) { found = read_connection(row); }, wanted.registration.value(),
        wanted.workspace, wanted.workspace_id, wanted.principal.sub, wanted.subject);
    return one(done, found);
}

Result<std::vector<Connection>> SqliteTransaction::list_connections(
    ConnectionFilter const& filter) {
    static std::string const sql =
        "SELECT " + connection_columns +
        "FROM connection WHERE id > ?1 AND (?2 IS NULL OR subject = ?2) "
        "AND (?3 IS NULL OR workspace = ?3) AND (?4 IS NULL OR state = ?4) ORDER BY id LIMIT ?5";
    std::vector<Connection> found;
    auto const done = database_.query(
        sql, [&](Row& row) { found.push_back(read_connection(row)); }, filter.after, filter.subject,
        filter.workspace, text_of(filter.state), static_cast<std::uint64_t>(filter.limit));
    return all(done, found);
}

Result<bool> SqliteTransaction::replace_family(Connection const& c, std::uint64_t family_expected) {
    // The epoch moves on, so that what is in flight for the old family is fenced twice.
    static std::string const sql =
        "UPDATE connection SET family = ?, generation = ?, sealed_access = ?, sealed_refresh = ?, "
        "sealed_alt_refresh = x'', previous_fingerprint = current_fingerprint, "
        "current_fingerprint = ?, token_type = ?, scopes = ?, user_name = ?, display_name = ?, "
        "issuer = ?, token_endpoint = ?, access_issued_at = ?, access_expires_at = ?, "
        "refresh_expires_at = ?, session_ends_at = ?, refresh_due_at = ?, last_attempt = ?, "
        "state_since = ?, updated_at = ?, next_attempt_at = NULL, fail_count = 0, last_error = '', "
        "same_refresh_token_count = 0, state = 'active', reason = 'none', "
        "lease_epoch = lease_epoch + 1, " +
        no_intent + "WHERE id = ? AND family = ?";
    return any(database_.run(
        sql, c.family, c.generation, Blob{c.sealed_access}, Blob{c.sealed_refresh},
        c.current_fingerprint, c.token_type, c.scopes.to_string(), c.principal.user_name,
        c.principal.display_name, c.issuer.value(), c.token_endpoint, c.access_issued_at,
        c.access_expires_at, c.refresh_expires_at, c.session_ends_at, c.refresh_due_at,
        c.last_attempt, c.state_since, c.updated_at, c.id.value(), family_expected));
}

Result<bool> SqliteTransaction::disconnect(ConnectionId const& id, Time now) {
    // The family moves on, so that a refresh in flight can save nothing any more.
    static std::string const sql =
        "UPDATE connection SET state = 'disconnected', reason = 'none', state_since = ?1, "
        "updated_at = ?1, family = family + 1, sealed_access = x'', sealed_refresh = x'', "
        "sealed_alt_refresh = x'', refresh_due_at = NULL, next_attempt_at = NULL, " +
        no_intent + "WHERE id = ?2 AND state <> 'disconnected'";
    auto const ended = any(database_.run(sql, now, id.value()));
    if (!ended || !*ended) {
        return ended;
    }
    auto const revoked = database_.run(
        "UPDATE capability SET revoked_at = ? WHERE connection = ? AND revoked_at IS NULL", now,
        id.value());
    if (!revoked) {
        return fail(revoked.error());
    }
    return true;
}

Result<bool> SqliteTransaction::set_state(ConnectionId const& id, std::uint64_t family,
                                          ConnectionState state, ReauthReason reason, Time now) {
    static std::string const sql =
        "UPDATE connection SET state = ?1, reason = ?2, state_since = ?3, updated_at = ?3 "
        "WHERE id = ?4 AND family = ?5 AND state <> 'disconnected'";
    return any(database_.run(sql, to_string(state), to_string(reason), now, id.value(), family));
}

Result<std::size_t> SqliteTransaction::quarantine_all(Time now) {
    return database_.run(
        "UPDATE connection SET state = 'quarantined', reason = 'restored', state_since = ?1, "
        "updated_at = ?1 WHERE state IN ('active', 'uncertain', 'host_blocked')",
        now);
}

Result<bool> SqliteTransaction::end_quarantine(ConnectionId const& id, Time now) {
    return any(
        database_.run("UPDATE connection SET state = 'active', state_since = ?1, updated_at = ?1, "
                      "next_attempt_at = NULL WHERE id = ?2 AND state = 'quarantined'",
                      now, id.value()));
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> SqliteTransaction::count_by_state() {
    std::vector<std::pair<std::string, std::uint64_t>> found;
    auto const done =
        database_.query("SELECT state, count(*) FROM connection GROUP BY state", [&](Row& row) {
            auto state = row.text();
            found.emplace_back(std::move(state), row.count());
        });
    return all(done, found);
}

}  // namespace brickgate

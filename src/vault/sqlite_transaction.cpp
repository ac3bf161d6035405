// SPDX-License-Identifier: Apache-2.0
#include "vault/sqlite_transaction.h"

#define BRICKGATE_CONNECTION_COLUMNS                                                              \
    "id, tenant, registration, subject, issuer, workspace, token_endpoint, sub, user_name, "      \
    "display_name, scopes, state, reason, state_since, family, generation, sealed_access, "       \
    "sealed_refresh, sealed_alt_refresh, previous_fingerprint, current_fingerprint, token_type, " \
    "access_issued_at, access_expires_at, refresh_expires_at, session_ends_at, refresh_due_at, "  \
    "next_attempt_at, fail_count, last_error, lease_node, lease_epoch, lease_until, "             \
    "intent_node, intent_boot, intent_attempt, intent_generation, intent_at, presented, "         \
    "last_attempt, same_refresh_token_count, created_at, updated_at"

namespace brickgate {

namespace {

using sqlite::Blob;
using sqlite::Row;

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
    return c;
}

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

Result<void> ignore_count(Result<std::size_t> const& done) {
    if (!done) {
        return fail(done.error());
    }
    return {};
}

Result<bool> any(Result<std::size_t> const& done) {
    if (!done) {
        return fail(done.error());
    }
    return *done > 0;
}

// The last of the rows seen, or none.
template <class T>
Result<std::optional<T>> one(Result<std::size_t> const& done, std::optional<T>& found) {
    if (!done) {
        return fail(done.error());
    }
    return std::move(found);
}

template <class T>
Result<std::vector<T>> all(Result<std::size_t> const& done, std::vector<T>& found) {
    if (!done) {
        return fail(done.error());
    }
    return std::move(found);
}

std::optional<std::string> text_of(std::optional<ConnectionState> state) {
    if (!state) {
        return std::nullopt;
    }
    return std::string(to_string(*state));
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

Result<void> SqliteTransaction::insert_connection(Connection const& c) {
    return ignore_count(database_.run(
        "INSERT INTO connection (" BRICKGATE_CONNECTION_COLUMNS
        ") VALUES "
        "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        c.id.value(), c.tenant, c.registration.value(), c.subject, c.issuer.value(), c.workspace,
        c.token_endpoint, c.principal.sub, c.principal.user_name, c.principal.display_name,
        c.scopes.to_string(), to_string(c.state), to_string(c.reason), c.state_since, c.family,
        c.generation, Blob{c.sealed_access}, Blob{c.sealed_refresh}, Blob{c.sealed_alt_refresh},
        c.previous_fingerprint, c.current_fingerprint, c.token_type, c.access_issued_at,
        c.access_expires_at, c.refresh_expires_at, c.session_ends_at, c.refresh_due_at,
        c.next_attempt_at, c.fail_count, c.last_error, c.lease.node, c.lease.epoch, c.lease.until,
        std::optional<std::string>(), std::optional<std::string>(), std::optional<std::string>(),
        std::optional<std::uint64_t>(), std::optional<Time>(), 0U, c.last_attempt,
        c.same_refresh_token_count, c.created_at, c.updated_at));
}

Result<std::optional<Connection>> SqliteTransaction::find_connection(ConnectionId const& id) {
    std::optional<Connection> found;
    auto const done = database_.query(
        "SELECT " BRICKGATE_CONNECTION_COLUMNS " FROM connection WHERE id = ?",
        [&](Row& row) { found = read_connection(row); }, id.value());
    return one(done, found);
}

Result<std::optional<Connection>> SqliteTransaction::find_connection_of(
    RegistrationId const& registration, std::string const& workspace, std::string const& sub,
    std::string const& subject) {
    std::optional<Connection> found;
    auto const done = database_.query(
        "SELECT " BRICKGATE_CONNECTION_COLUMNS
        " FROM connection WHERE registration = ? AND workspace = ? AND sub = ? "
        "AND subject = ? AND state <> 'disconnected'",
        [&](Row& row) { found = read_connection(row); }, registration.value(), workspace, sub,
        subject);
    return one(done, found);
}

Result<std::vector<Connection>> SqliteTransaction::list_connections(
    ConnectionFilter const& filter) {
    std::vector<Connection> found;
    auto const done = database_.query(
        "SELECT " BRICKGATE_CONNECTION_COLUMNS
        " FROM connection WHERE id > ?1 AND (?2 IS NULL OR subject = ?2) "
        "AND (?3 IS NULL OR workspace = ?3) AND (?4 IS NULL OR state = ?4) ORDER BY id LIMIT ?5",
        [&](Row& row) { found.push_back(read_connection(row)); }, filter.after, filter.subject,
        filter.workspace, text_of(filter.state), static_cast<std::uint64_t>(filter.limit));
    return all(done, found);
}

Result<std::vector<Connection>> SqliteTransaction::due_connections(Time now, std::size_t limit) {
    std::vector<Connection> found;
    auto const done = database_.query(
        "SELECT " BRICKGATE_CONNECTION_COLUMNS
        " FROM connection WHERE refresh_due_at IS NOT NULL "
        "AND state IN ('active', 'uncertain', 'host_blocked') AND refresh_due_at <= ?1 "
        "AND (next_attempt_at IS NULL OR next_attempt_at <= ?1) ORDER BY refresh_due_at LIMIT ?2",
        [&](Row& row) { found.push_back(read_connection(row)); }, now,
        static_cast<std::uint64_t>(limit));
    return all(done, found);
}

Result<std::optional<Time>> SqliteTransaction::next_due_at() {
    std::optional<Time> found;
    auto const done = database_.query(
        "SELECT min(refresh_due_at) FROM connection WHERE refresh_due_at IS NOT NULL "
        "AND state IN ('active', 'uncertain', 'host_blocked')",
        [&](Row& row) { found = row.maybe_time(); });
    return one(done, found);
}

Result<std::vector<Connection>> SqliteTransaction::connections_with_intent_of(
    std::string const& node) {
    std::vector<Connection> found;
    auto const done = database_.query(
        "SELECT " BRICKGATE_CONNECTION_COLUMNS " FROM connection WHERE intent_node = ?",
        [&](Row& row) { found.push_back(read_connection(row)); }, node);
    return all(done, found);
}

Result<bool> SqliteTransaction::replace_family(Connection const& c, std::uint64_t family_expected) {
    return any(database_.run(
        "UPDATE connection SET family = ?, generation = ?, sealed_access = ?, sealed_refresh = ?, "
        "sealed_alt_refresh = x'', previous_fingerprint = current_fingerprint, current_fingerprint "
        "= ?, "
        "token_type = ?, scopes = ?, user_name = ?, display_name = ?, issuer = ?, token_endpoint = "
        "?, "
        "access_issued_at = ?, access_expires_at = ?, refresh_expires_at = ?, session_ends_at = ?, "
        "refresh_due_at = ?, next_attempt_at = NULL, fail_count = 0, last_error = '', lease_node = "
        "'', "
        "lease_until = NULL, lease_epoch = lease_epoch + 1, intent_node = NULL, intent_boot = "
        "NULL, "
        "intent_attempt = NULL, intent_generation = NULL, intent_at = NULL, presented = 0, "
        "last_attempt = ?, "
        "same_refresh_token_count = 0, state = 'active', reason = 'none', state_since = ?, "
        "updated_at = ? "
        "WHERE id = ? AND family = ?",
        c.family, c.generation, Blob{c.sealed_access}, Blob{c.sealed_refresh},
        c.current_fingerprint, c.token_type, c.scopes.to_string(), c.principal.user_name,
        c.principal.display_name, c.issuer.value(), c.token_endpoint, c.access_issued_at,
        c.access_expires_at, c.refresh_expires_at, c.session_ends_at, c.refresh_due_at,
        c.last_attempt, c.state_since, c.updated_at, c.id.value(), family_expected));
}

Result<bool> SqliteTransaction::disconnect(ConnectionId const& id, Time now) {
    return any(database_.run(
        "UPDATE connection SET state = 'disconnected', reason = 'none', state_since = ?1, "
        "updated_at = ?1, "
        "family = family + 1, sealed_access = x'', sealed_refresh = x'', sealed_alt_refresh = x'', "
        "refresh_due_at = NULL, next_attempt_at = NULL, lease_until = NULL, intent_node = NULL, "
        "intent_boot = NULL, "
        "intent_attempt = NULL, intent_generation = NULL, intent_at = NULL, presented = 0 "
        "WHERE id = ?2 AND state <> 'disconnected'",
        now, id.value()));
}

Result<std::optional<Connection>> SqliteTransaction::claim(ClaimRequest const& r) {
    std::optional<Connection> found;
    auto const done = database_.query(
        "UPDATE connection SET lease_node = ?1, lease_epoch = lease_epoch + 1, lease_until = ?2, "
        "state_since = CASE WHEN intent_node IS NOT NULL AND intent_generation = generation AND "
        "state <> 'uncertain' "
        "THEN ?3 ELSE state_since END, "
        "state = CASE WHEN intent_node IS NOT NULL AND intent_generation = generation THEN "
        "'uncertain' ELSE state END, "
        "presented = CASE WHEN intent_node IS NOT NULL AND intent_generation = generation THEN "
        "presented + 1 ELSE 1 END, "
        "intent_node = ?1, intent_boot = ?4, intent_generation = generation, intent_attempt = ?5, "
        "intent_at = ?3, "
        "updated_at = ?3 "
        "WHERE id = ?6 AND family = ?7 AND generation = ?8 AND state IN ('active', 'uncertain', "
        "'host_blocked') "
        "AND (next_attempt_at IS NULL OR next_attempt_at <= ?3) "
        "AND (lease_until IS NULL OR lease_until < ?3 OR lease_node = ?1) "
        "AND (intent_node IS NULL OR intent_generation < generation OR intent_node = ?1) "
        "RETURNING " BRICKGATE_CONNECTION_COLUMNS,
        [&](Row& row) { found = read_connection(row); }, r.node, r.now + r.lease, r.now, r.boot,
        r.attempt, r.id.value(), r.family, r.generation);
    claimed_ = claimed_ || found.has_value();
    return one(done, found);
}

Result<SaveOutcome> SqliteTransaction::save_tokens(TokenSave const& s) {
    auto const done = any(database_.run(
        "UPDATE connection SET generation = generation + 1, sealed_access = ?, sealed_refresh = ?, "
        "sealed_alt_refresh = x'', previous_fingerprint = current_fingerprint, current_fingerprint "
        "= ?, "
        "token_type = ?, scopes = coalesce(?, scopes), access_issued_at = ?, access_expires_at = "
        "?, "
        "refresh_expires_at = ?, refresh_due_at = ?, next_attempt_at = NULL, fail_count = 0, "
        "last_error = '', "
        "lease_until = NULL, lease_node = '', intent_node = NULL, intent_boot = NULL, "
        "intent_attempt = NULL, "
        "intent_generation = NULL, intent_at = NULL, presented = 0, last_attempt = ?, "
        "same_refresh_token_count = CASE WHEN ? THEN same_refresh_token_count + 1 ELSE 0 END, "
        "state_since = CASE WHEN state = 'active' THEN state_since ELSE ? END, state = 'active', "
        "reason = 'none', "
        "updated_at = ? WHERE id = ? AND family = ? AND generation = ? "
        "AND state IN ('active', 'uncertain', 'host_blocked', 'reauth_required')",
        Blob{s.sealed_access}, Blob{s.sealed_refresh}, s.fingerprint, s.token_type, s.scopes,
        s.access_issued_at, s.access_expires_at, s.refresh_expires_at, s.refresh_due_at, s.attempt,
        s.same_refresh_token, s.now, s.now, s.id.value(), s.family, s.generation));
    if (!done) {
        return fail(done.error());
    }
    if (*done) {
        saved_ = true;
        return SaveOutcome::saved;
    }
    auto const row = find_connection(s.id);
    if (!row) {
        return fail(row.error());
    }
    if (!*row) {
        return SaveOutcome::gone;
    }
    if ((*row)->family != s.family) {
        return SaveOutcome::family_changed;
    }
    return (*row)->last_attempt == s.attempt ? SaveOutcome::already_saved : SaveOutcome::superseded;
}

Result<bool> SqliteTransaction::keep_alt_refresh(ConnectionId const& id, std::uint64_t family,
                                                 std::string const& sealed) {
    return any(
        database_.run("UPDATE connection SET sealed_alt_refresh = ? WHERE id = ? AND family = ?",
                      Blob{sealed}, id.value(), family));
}

Result<bool> SqliteTransaction::promote_alt_refresh(Fence const& f, std::string const& resealed,
                                                    Time now) {
    return any(
        database_.run("UPDATE connection SET generation = generation + 1, sealed_refresh = ?, "
                      "sealed_alt_refresh = x'', "
                      "refresh_due_at = ?, next_attempt_at = NULL, lease_until = NULL, lease_node "
                      "= '', intent_node = NULL, "
                      "intent_boot = NULL, intent_attempt = NULL, intent_generation = NULL, "
                      "intent_at = NULL, presented = 0, "
                      "state = 'active', state_since = ?, updated_at = ? "
                      "WHERE id = ? AND family = ? AND generation = ? AND lease_epoch = ? AND "
                      "intent_node = ? AND intent_attempt = ?",
                      Blob{resealed}, now, now, now, f.id.value(), f.family, f.generation, f.epoch,
                      f.node, f.attempt));
}

Result<bool> SqliteTransaction::back_off(Fence const& f, BackOff const& b) {
    // Not spent: this presentation is uncounted, and with the first one the intent goes. Maybe
    // spent: it stays.
    return any(database_.run(
        "UPDATE connection SET presented = presented - ?1, "
        "intent_node = CASE WHEN presented - ?1 = 0 THEN NULL ELSE intent_node END, "
        "state_since = CASE WHEN state = coalesce(?2, CASE WHEN presented - ?1 = 0 THEN 'active' "
        "ELSE 'uncertain' END) "
        "THEN state_since ELSE ?3 END, "
        "state = coalesce(?2, CASE WHEN presented - ?1 = 0 THEN 'active' ELSE 'uncertain' END), "
        "next_attempt_at = ?4, fail_count = fail_count + 1, last_error = ?5, lease_until = NULL, "
        "lease_node = '', "
        "updated_at = ?3 "
        "WHERE id = ?6 AND family = ?7 AND generation = ?8 AND lease_epoch = ?9 AND intent_node = "
        "?10 "
        "AND intent_attempt = ?11",
        b.spent == Spent::no ? 1U : 0U, text_of(b.state), b.now, b.next_attempt_at, b.last_error,
        f.id.value(), f.family, f.generation, f.epoch, f.node, f.attempt));
}

Result<bool> SqliteTransaction::fail_fenced(Fence const& f, ReauthReason reason,
                                            std::string const& last_error, Time now) {
    return any(database_.run(
        "UPDATE connection SET state = 'reauth_required', reason = ?, state_since = ?, updated_at "
        "= ?, last_error = ?, "
        "lease_until = NULL, lease_node = '', intent_node = NULL, intent_boot = NULL, "
        "intent_attempt = NULL, "
        "intent_generation = NULL, intent_at = NULL, presented = 0, refresh_due_at = NULL "
        "WHERE id = ? AND family = ? AND generation = ? AND lease_epoch = ? AND intent_node = ? "
        "AND intent_attempt = ?",
        to_string(reason), now, now, last_error, f.id.value(), f.family, f.generation, f.epoch,
        f.node, f.attempt));
}

Result<bool> SqliteTransaction::set_state(ConnectionId const& id, std::uint64_t family,
                                          ConnectionState state, ReauthReason reason, Time now) {
    return any(
        database_.run("UPDATE connection SET state = ?, reason = ?, state_since = ?, updated_at = "
                      "? WHERE id = ? AND family = ?",
                      to_string(state), to_string(reason), now, now, id.value(), family));
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

// SPDX-License-Identifier: Apache-2.0
// What the refresh protocol reads and writes (D.5): due rows, claims, saves, failures.
#include "base/json.h"
#include "vault/sqlite_connection_row.h"
#include "vault/sqlite_transaction.h"

namespace brickgate {

namespace {

using sqlite::all;
using sqlite::any;
using sqlite::Blob;
using sqlite::one;
using sqlite::Row;

// Who may write a failure: ?1 to ?6 are the Fence, in its order. A save needs no such fence.
std::string const fenced =
    " WHERE id = ?1 AND family = ?2 AND generation = ?3 AND lease_epoch = ?4 AND intent_node = ?5 "
    "AND intent_attempt = ?6 AND state IN ('active', 'uncertain', 'host_blocked')";

// The words of the index connection_due, which is used only where they are said in full.
std::string const claimable =
    "refresh_due_at IS NOT NULL AND state IN ('active', 'uncertain', 'host_blocked') ";

// A list as one argument, for json_each().
template <class Items>
std::string list_of(Items const& items) {
    json::array out;
    for (auto const& item : items) {
        if constexpr (std::is_same_v<std::decay_t<decltype(item)>, std::string>) {
            out.emplace_back(item);
        } else {
            out.emplace_back(item.value());
        }
    }
    return json::serialize(out);
}

}  // namespace

Result<std::vector<Connection>> SqliteTransaction::due_connections(DueQuery const& query) {
    // The inner query touches the index alone: a great many rows may be due that are not wanted.
    static std::string const sql =
        "SELECT " + connection_columns +
        "FROM connection WHERE pk IN (SELECT pk FROM connection WHERE " + claimable +
        "AND refresh_due_at <= ?1 AND (next_attempt_at IS NULL OR next_attempt_at <= ?1) "
        "AND workspace NOT IN (SELECT value FROM json_each(?3)) "
        "AND (?4 IS NULL OR registration IN (SELECT value FROM json_each(?4))) "
        "ORDER BY access_expires_at LIMIT ?2) ORDER BY access_expires_at";
    std::optional<std::string> registrations;
    if (query.registrations) {
        registrations = list_of(*query.registrations);
    }
    std::vector<Connection> found;
    auto const done = database_.query(
        sql, [&](Row& row) { found.push_back(read_connection(row)); }, query.now,
        static_cast<std::uint64_t>(query.limit), list_of(query.but_workspaces), registrations);
    return all(done, found);
}

Result<std::optional<Time>> SqliteTransaction::next_due_at() {
    static std::string const sql =
        "SELECT min(max(refresh_due_at, coalesce(next_attempt_at, refresh_due_at))) "
        "FROM connection WHERE " +
        claimable;
    std::optional<Time> found;
    auto const done = database_.query(sql, [&](Row& row) { found = row.maybe_time(); });
    return one(done, found);
}

Result<std::size_t> SqliteTransaction::spread_overdue(Spread const& s) {
    // The factor lets neighbours land far apart; whatever is over is due now.
    static std::string const sql =
        "UPDATE connection SET refresh_due_at = ?1 + "
        "pk * 2654435761 % max(1, min(?3, (access_expires_at - ?1) / 2)) WHERE " +
        claimable +
        "AND refresh_due_at <= ?2 AND (?4 IS NULL OR workspace = ?4) "
        "AND (?5 IS NULL OR registration = ?5)";
    std::optional<std::string> registration;
    if (s.registration) {
        registration = s.registration->value();
    }
    return database_.run(sql, s.now, s.overdue_since,
                         static_cast<std::int64_t>(s.over_most.count()), s.workspace, registration);
}

Result<std::vector<Connection>> SqliteTransaction::connections_with_intent_of(
    std::string const& node) {
    static std::string const sql =
        "SELECT " + connection_columns + "FROM connection WHERE intent_node = ? ORDER BY id";
    std::vector<Connection> found;
    auto const done =
        database_.query(sql, [&](Row& row) { found.push_back(read_connection(row)); }, node);
    return all(done, found);
}

Result<std::optional<Connection>> SqliteTransaction::claim(ClaimRequest const& r) {
    // "Open" is an intent of this very generation that nobody resolved: its token may be spent.
    static std::string const open = "intent_node IS NOT NULL AND intent_generation = generation ";
    static std::string const sql =
        "UPDATE connection SET lease_node = ?1, lease_epoch = lease_epoch + 1, lease_until = ?2, "
        "state_since = CASE WHEN " +
        open +
        "AND state <> 'uncertain' THEN ?3 ELSE state_since END, "
        "state = CASE WHEN " +
        open +
        "THEN 'uncertain' ELSE state END, "
        "presented = CASE WHEN " +
        open +
        "THEN presented + 1 ELSE 1 END, "
        "intent_node = ?1, intent_boot = ?4, intent_attempt = ?5, intent_generation = generation, "
        "intent_at = ?3, updated_at = ?3 "
        "WHERE id = ?6 AND family = ?7 AND generation = ?8 "
        "AND state IN ('active', 'uncertain', 'host_blocked') "
        "AND (next_attempt_at IS NULL OR next_attempt_at <= ?3) "
        "AND (lease_until IS NULL OR lease_until < ?3 OR lease_node = ?1) "
        "AND (intent_node IS NULL OR intent_generation < generation OR intent_node = ?1) "
        "RETURNING " +
        connection_columns;
    std::optional<Connection> found;
    auto const done = database_.query(
        sql, [&](Row& row) { found = read_connection(row); }, r.node, r.now + r.lease, r.now,
        r.boot, r.attempt, r.id.value(), r.family, r.generation);
    claimed_ = claimed_ || found.has_value();
    return one(done, found);
}

Result<SaveOutcome> SqliteTransaction::save_tokens(TokenSave const& s) {
    // Whatever the epoch, the node and the state: a good token is good. Only the end that a person
    // chose stands, and that moved the family on.
    static std::string const sql =
        "UPDATE connection SET generation = generation + 1, sealed_access = ?, sealed_refresh = ?, "
        "sealed_alt_refresh = x'', previous_fingerprint = current_fingerprint, "
        "current_fingerprint = ?, token_type = ?, scopes = coalesce(?, scopes), "
        "access_issued_at = ?, access_expires_at = ?, refresh_expires_at = ?, refresh_due_at = ?, "
        "last_attempt = ?, "
        "same_refresh_token_count = CASE WHEN ? THEN same_refresh_token_count + 1 ELSE 0 END, "
        "state_since = CASE WHEN state = 'active' THEN state_since ELSE ? END, updated_at = ?, "
        "state = 'active', reason = 'none', next_attempt_at = NULL, fail_count = 0, "
        "last_error = '', " +
        no_intent + "WHERE id = ? AND family = ? AND generation = ? AND state <> 'disconnected'";
    auto const done = any(database_.run(
        sql, Blob{s.sealed_access}, Blob{s.sealed_refresh}, s.fingerprint, s.token_type, s.scopes,
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
    if ((*row)->family != s.family || (*row)->state == ConnectionState::disconnected) {
        return SaveOutcome::family_changed;
    }
    return (*row)->last_attempt == s.attempt ? SaveOutcome::already_saved : SaveOutcome::superseded;
}

Result<bool> SqliteTransaction::keep_alt_refresh(ConnectionId const& id, std::uint64_t family,
                                                 std::string const& sealed) {
    return any(
        database_.run("UPDATE connection SET sealed_alt_refresh = ? WHERE id = ? AND family = ? "
                      "AND state <> 'disconnected'",
                      Blob{sealed}, id.value(), family));
}

Result<bool> SqliteTransaction::promote_alt_refresh(Fence const& f,
                                                    std::string const& resealed_access,
                                                    std::string const& resealed_refresh, Time now) {
    static std::string const sql =
        "UPDATE connection SET generation = generation + 1, sealed_access = ?7, "
        "sealed_refresh = ?8, sealed_alt_refresh = x'', refresh_due_at = ?9, "
        "access_expires_at = CASE WHEN length(?7) = 0 THEN min(access_expires_at, ?9) "
        "ELSE access_expires_at END, "
        "next_attempt_at = NULL, "
        "state_since = CASE WHEN state = 'active' THEN state_since ELSE ?9 END, state = 'active', "
        "updated_at = ?9, " +
        no_intent + fenced;
    return any(database_.run(sql, f.id.value(), f.family, f.generation, f.epoch, f.node, f.attempt,
                             Blob{resealed_access}, Blob{resealed_refresh}, now));
}

Result<bool> SqliteTransaction::back_off(Fence const& f, BackOff const& b) {
    // ?7 presentations did not happen. With none left the intent goes; else its outcome is open.
    // Where it does not count (?12), the row keeps what the claim found. Once for each claim: until
    // then lease_until is set. A commit reported as failed is made again, and a spooled answer is
    // replayed after a crash; taken back twice, an older presentation would be forgotten too.
    static std::string const next =
        "CASE WHEN NOT ?12 THEN state "
        "ELSE coalesce(?8, CASE WHEN presented > ?7 THEN 'uncertain' ELSE 'active' END) END ";
    static std::string const sql =
        "UPDATE connection SET state_since = CASE WHEN state = " + next +
        "THEN state_since ELSE ?9 END, state = " + next +
        ", presented = presented - ?7, "
        "intent_node = CASE WHEN presented > ?7 THEN intent_node END, "
        "intent_boot = CASE WHEN presented > ?7 THEN intent_boot END, "
        "intent_attempt = CASE WHEN presented > ?7 THEN intent_attempt END, "
        "intent_generation = CASE WHEN presented > ?7 THEN intent_generation END, "
        "intent_at = CASE WHEN presented > ?7 THEN intent_at END, "
        "next_attempt_at = CASE WHEN ?12 THEN ?10 ELSE next_attempt_at END, "
        "fail_count = fail_count + ?12, "
        "last_error = CASE WHEN ?12 THEN ?11 ELSE last_error END, lease_node = '', "
        "lease_until = NULL, updated_at = ?9" +
        fenced + " AND lease_until IS NOT NULL";
    return any(database_.run(sql, f.id.value(), f.family, f.generation, f.epoch, f.node, f.attempt,
                             b.spent == Spent::no ? 1U : 0U, text_of(b.state), b.now,
                             b.next_attempt_at, b.last_error, b.counts));
}

Result<bool> SqliteTransaction::fail_fenced(Fence const& f, ReauthReason reason,
                                            std::string const& last_error, Time now) {
    static std::string const sql =
        "UPDATE connection SET state = 'reauth_required', reason = ?7, state_since = ?8, "
        "updated_at = ?8, last_error = ?9, refresh_due_at = NULL, next_attempt_at = NULL, " +
        no_intent + fenced;
    return any(database_.run(sql, f.id.value(), f.family, f.generation, f.epoch, f.node, f.attempt,
                             to_string(reason), now, last_error));
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
// API keys and capabilities: who may call us, and for which connection.
#include "vault/sqlite_rows.h"
#include "vault/sqlite_transaction.h"

namespace brickgate {

namespace {

using sqlite::all;
using sqlite::any;
using sqlite::Blob;
using sqlite::ignore_count;
using sqlite::one;
using sqlite::Row;

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
    key.leaked_at = row.maybe_time();
    return key;
}

CapabilityRow read_capability(Row& row) {
    CapabilityRow capability;
    capability.id = row.text();
    capability.connection = ConnectionId(row.text());
    capability.name = row.text();
    capability.methods = row.text();
    capability.paths = row.text();
    capability.not_after = row.maybe_time();
    capability.mac = row.text();
    capability.created_at = row.time();
    capability.revoked_at = row.maybe_time();
    capability.leaked_at = row.maybe_time();
    return capability;
}

}  // namespace

Result<void> SqliteTransaction::insert_api_key(ApiKeyRow const& k) {
    return ignore_count(database_.run(
        "INSERT INTO api_key (id, tenant, name, rights, not_after, mac, created_at, revoked_at, "
        "leaked_at) VALUES (?,?,?,?,?,?,?,?,?)",
        k.id, k.tenant, k.name, k.rights, k.not_after, Blob{k.mac}, k.created_at, k.revoked_at,
        k.leaked_at));
}

Result<std::optional<ApiKeyRow>> SqliteTransaction::find_api_key(std::string const& id) {
    std::optional<ApiKeyRow> found;
    auto const done = database_.query(
        "SELECT id, tenant, name, rights, not_after, mac, created_at, revoked_at, leaked_at "
        "FROM api_key WHERE id = ?",
        [&](Row& row) { found = read_api_key(row); }, id);
    return one(done, found);
}

Result<std::vector<ApiKeyRow>> SqliteTransaction::list_api_keys() {
    std::vector<ApiKeyRow> found;
    auto const done = database_.query(
        "SELECT id, tenant, name, rights, not_after, mac, created_at, revoked_at, leaked_at "
        "FROM api_key ORDER BY created_at, id",
        [&](Row& row) { found.push_back(read_api_key(row)); });
    return all(done, found);
}

Result<bool> SqliteTransaction::revoke_api_key(std::string const& id, Time now) {
    return any(database_.run(
        "UPDATE api_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", now, id));
}

Result<bool> SqliteTransaction::mark_api_key_leaked(std::string const& id, Time now) {
    return any(database_.run("UPDATE api_key SET leaked_at = ? WHERE id = ? AND leaked_at IS NULL",
                             now, id));
}

Result<void> SqliteTransaction::insert_capability(CapabilityRow const& c) {
    return ignore_count(database_.run(
        "INSERT INTO capability (id, connection, name, methods, paths, not_after, mac, "
        "created_at, revoked_at, leaked_at) VALUES (?,?,?,?,?,?,?,?,?,?)",
        c.id, c.connection.value(), c.name, c.methods, c.paths, c.not_after, Blob{c.mac},
        c.created_at, c.revoked_at, c.leaked_at));
}

Result<std::vector<CapabilityRow>> SqliteTransaction::list_capabilities() {
    std::vector<CapabilityRow> found;
    auto const done = database_.query(
        "SELECT id, connection, name, methods, paths, not_after, mac, created_at, revoked_at, "
        "leaked_at FROM capability ORDER BY created_at, id",
        [&](Row& row) { found.push_back(read_capability(row)); });
    return all(done, found);
}

Result<bool> SqliteTransaction::revoke_capability(std::string const& id, Time now) {
    return any(database_.run(
        "UPDATE capability SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", now, id));
}

Result<bool> SqliteTransaction::mark_capability_leaked(std::string const& id, Time now) {
    return any(database_.run(
        "UPDATE capability SET leaked_at = ? WHERE id = ? AND leaked_at IS NULL", now, id));
}

Result<std::size_t> SqliteTransaction::delete_capabilities_ended_before(Time moment) {
    return database_.run("DELETE FROM capability WHERE not_after < ?1 OR revoked_at < ?1", moment);
}

}  // namespace brickgate

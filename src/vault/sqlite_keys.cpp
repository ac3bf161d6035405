// SPDX-License-Identifier: Apache-2.0
// Which records are sealed under which data key, and their sealing anew (C.6).
#include "vault/sqlite_connection_row.h"
#include "vault/sqlite_login_row.h"
#include "vault/sqlite_transaction.h"

namespace brickgate {

namespace {

using sqlite::all;
using sqlite::any;
using sqlite::Blob;
using sqlite::Row;

// As it stands in a record's header.
std::string header_bytes(std::uint32_t key_id) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) {
        out += static_cast<char>(key_id >> shift & 0xFF);
    }
    return out;
}

}  // namespace

Result<SealedCounts> SqliteTransaction::count_sealed_under(std::uint32_t key_id) {
    // Each is counted in its own index, whatever the number of rows.
    auto const id = header_bytes(key_id);
    SealedCounts counts;
    auto const done = database_.query(
        "SELECT (SELECT count(*) FROM connection WHERE substr(sealed_access, 3, 4) = ?1), "
        "(SELECT count(*) FROM connection WHERE substr(sealed_refresh, 3, 4) = ?1), "
        "(SELECT count(*) FROM connection WHERE substr(sealed_alt_refresh, 3, 4) = ?1 "
        "AND length(sealed_alt_refresh) > 0), "
        "(SELECT count(*) FROM login WHERE substr(sealed, 3, 4) = ?1)",
        [&](Row& row) {
            counts.access_tokens = row.count();
            counts.refresh_tokens = row.count();
            counts.alternatives = row.count();
            counts.logins = row.count();
        },
        Blob{id});
    if (!done) {
        return fail(done.error());
    }
    return counts;
}

Result<std::vector<Connection>> SqliteTransaction::connections_sealed_under(
    std::uint32_t key_id, ConnectionId const& after, std::size_t limit) {
    // By id, a pass sees each row once; the plus keeps the planner from sorting all that are left,
    // for every page anew.
    static std::string const sql =
        "SELECT " + connection_columns +
        "FROM connection WHERE id > ?2 AND (+substr(sealed_access, 3, 4) = ?1 "
        "OR +substr(sealed_refresh, 3, 4) = ?1 OR +substr(sealed_alt_refresh, 3, 4) = ?1) "
        "ORDER BY id LIMIT ?3";
    std::vector<Connection> found;
    auto const id = header_bytes(key_id);
    auto const done = database_.query(
        sql, [&](Row& row) { found.push_back(read_connection(row)); }, Blob{id}, after.value(),
        static_cast<std::uint64_t>(limit));
    return all(done, found);
}

Result<std::vector<LoginRow>> SqliteTransaction::logins_sealed_under(std::uint32_t key_id,
                                                                     std::size_t limit) {
    static std::string const sql =
        "SELECT " + login_columns + "FROM login WHERE substr(sealed, 3, 4) = ? LIMIT ?";
    std::vector<LoginRow> found;
    auto const id = header_bytes(key_id);
    auto const done = database_.query(
        sql, [&](Row& row) { found.push_back(read_login(row)); }, Blob{id},
        static_cast<std::uint64_t>(limit));
    return all(done, found);
}

Result<bool> SqliteTransaction::reseal_connection(Connection const& found,
                                                  Connection const& resealed) {
    return any(database_.run(
        "UPDATE connection SET sealed_access = ?, sealed_refresh = ?, sealed_alt_refresh = ? "
        "WHERE id = ? AND sealed_access = ? AND sealed_refresh = ? AND sealed_alt_refresh = ?",
        Blob{resealed.sealed_access}, Blob{resealed.sealed_refresh},
        Blob{resealed.sealed_alt_refresh}, found.id.value(), Blob{found.sealed_access},
        Blob{found.sealed_refresh}, Blob{found.sealed_alt_refresh}));
}

Result<bool> SqliteTransaction::reseal_login(LoginRow const& found, std::string const& sealed) {
    return any(database_.run("UPDATE login SET sealed = ? WHERE state_hash = ? AND sealed = ?",
                             Blob{sealed}, Blob{found.state_hash}, Blob{found.sealed}));
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
// Which records are sealed under which data key, and their sealing anew (C.6).
#include <algorithm>

#include "vault/memory_transaction.h"
#include "vault/record.h"

namespace brickgate {

namespace {

bool names(std::string const& record, std::uint32_t key_id) {
    return key_id_of_record(record) == key_id;
}

}  // namespace

Result<SealedCounts> MemoryTransaction::count_sealed_under(std::uint32_t key_id) {
    SealedCounts counts;
    for (auto const& [id, row] : rows_.connections) {
        counts.access_tokens += names(row.sealed_access, key_id) ? 1 : 0;
        counts.refresh_tokens += names(row.sealed_refresh, key_id) ? 1 : 0;
        counts.alternatives += names(row.sealed_alt_refresh, key_id) ? 1 : 0;
    }
    for (auto const& [hash, row] : rows_.logins) {
        counts.logins += names(row.sealed, key_id) ? 1 : 0;
    }
    return counts;
}

Result<std::vector<Connection>> MemoryTransaction::connections_sealed_under(
    std::uint32_t key_id, ConnectionId const& after, std::size_t limit) {
    std::vector<Connection> found;
    for (auto const& [id, row] : rows_.connections) {
        bool const named = names(row.sealed_access, key_id) || names(row.sealed_refresh, key_id) ||
                           names(row.sealed_alt_refresh, key_id);
        if (named && id > after.value() && found.size() < limit) {
            found.push_back(row);
        }
    }
    return found;
}

Result<std::vector<LoginRow>> MemoryTransaction::logins_sealed_under(std::uint32_t key_id,
                                                                     std::size_t limit) {
    std::vector<LoginRow> found;
    for (auto const& [hash, row] : rows_.logins) {
        if (names(row.sealed, key_id) && found.size() < limit) {
            found.push_back(row);
        }
    }
    return found;
}

Result<bool> MemoryTransaction::reseal_connection(Connection const& found,
                                                  Connection const& resealed) {
    auto const row = rows_.connections.find(found.id.value());
    if (row == rows_.connections.end() || row->second.sealed_access != found.sealed_access ||
        row->second.sealed_refresh != found.sealed_refresh ||
        row->second.sealed_alt_refresh != found.sealed_alt_refresh) {
        return false;
    }
    row->second.sealed_access = resealed.sealed_access;
    row->second.sealed_refresh = resealed.sealed_refresh;
    row->second.sealed_alt_refresh = resealed.sealed_alt_refresh;
    return true;
}

Result<bool> MemoryTransaction::reseal_login(LoginRow const& found, std::string const& sealed) {
    auto const row = rows_.logins.find(found.state_hash);
    if (row == rows_.logins.end() || row->second.sealed != found.sealed) {
        return false;
    }
    row->second.sealed = sealed;
    return true;
}

}  // namespace brickgate

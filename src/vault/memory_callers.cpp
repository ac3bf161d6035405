// SPDX-License-Identifier: Apache-2.0
// API keys and capabilities: who may call us, and for which connection.
#include <algorithm>

#include "vault/memory_transaction.h"

namespace brickgate {

namespace {

template <class Rows, class Row>
Result<void> insert(Rows& rows, Row const& row) {
    if (!rows.emplace(row.id, row).second) {
        return fail(ErrorCode::store_conflict, "The database already has such a row.");
    }
    return {};
}

template <class Row>
std::vector<Row> oldest_first(std::map<std::string, Row> const& rows) {
    std::vector<Row> found;
    for (auto const& [id, row] : rows) {
        found.push_back(row);
    }
    std::ranges::sort(found, {}, [](auto const& row) { return std::pair(row.created_at, row.id); });
    return found;
}

// Writes the moment unless one stands there.
template <class Row>
bool mark(std::map<std::string, Row>& rows, std::string const& id,
          std::optional<Time> Row::* moment, Time now) {
    auto const found = rows.find(id);
    if (found == rows.end() || found->second.*moment) {
        return false;
    }
    found->second.*moment = now;
    return true;
}

}  // namespace

Result<void> MemoryTransaction::insert_api_key(ApiKeyRow const& row) {
    return insert(rows_.api_keys, row);
}

Result<std::optional<ApiKeyRow>> MemoryTransaction::find_api_key(std::string const& id) {
    auto const found = rows_.api_keys.find(id);
    return found == rows_.api_keys.end() ? std::nullopt : std::optional(found->second);
}

Result<std::vector<ApiKeyRow>> MemoryTransaction::list_api_keys() {
    return oldest_first(rows_.api_keys);
}

Result<bool> MemoryTransaction::revoke_api_key(std::string const& id, Time now) {
    return mark(rows_.api_keys, id, &ApiKeyRow::revoked_at, now);
}

Result<bool> MemoryTransaction::mark_api_key_leaked(std::string const& id, Time now) {
    return mark(rows_.api_keys, id, &ApiKeyRow::leaked_at, now);
}

Result<void> MemoryTransaction::insert_capability(CapabilityRow const& row) {
    return insert(rows_.capabilities, row);
}

Result<std::vector<CapabilityRow>> MemoryTransaction::list_capabilities() {
    return oldest_first(rows_.capabilities);
}

Result<bool> MemoryTransaction::revoke_capability(std::string const& id, Time now) {
    return mark(rows_.capabilities, id, &CapabilityRow::revoked_at, now);
}

Result<bool> MemoryTransaction::mark_capability_leaked(std::string const& id, Time now) {
    return mark(rows_.capabilities, id, &CapabilityRow::leaked_at, now);
}

Result<std::size_t> MemoryTransaction::delete_capabilities_ended_before(Time moment) {
    return std::erase_if(rows_.capabilities, [&](auto const& entry) {
        auto const& row = entry.second;
        return row.not_after.value_or(moment) < moment || row.revoked_at.value_or(moment) < moment;
    });
}

}  // namespace brickgate

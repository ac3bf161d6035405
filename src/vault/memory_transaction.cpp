// SPDX-License-Identifier: Apache-2.0
#include "vault/memory_transaction.h"

#include <algorithm>

namespace brickgate {

namespace {

std::unexpected<Error> conflict() {
    return fail(ErrorCode::store_conflict, "The database already has such a row.");
}

}  // namespace

Result<void> MemoryTransaction::insert_login(LoginRow const& row) {
    if (!rows_.logins.emplace(row.state_hash, row).second) {
        return conflict();
    }
    return {};
}

Result<std::optional<LoginRow>> MemoryTransaction::take_login(std::string const& state_hash) {
    auto taken = rows_.logins.extract(state_hash);
    return taken ? std::optional(std::move(taken.mapped())) : std::nullopt;
}

Result<std::size_t> MemoryTransaction::count_logins() {
    return rows_.logins.size();
}

Result<std::size_t> MemoryTransaction::delete_logins_expired_before(Time now) {
    return std::erase_if(rows_.logins,
                         [&](auto const& entry) { return entry.second.expires_at <= now; });
}

Result<std::vector<KeyRow>> MemoryTransaction::list_keys() {
    std::vector<KeyRow> found;
    for (auto const& [id, row] : rows_.keys) {
        found.push_back(row);
    }
    return found;
}

Result<void> MemoryTransaction::put_key(KeyRow const& row) {
    rows_.keys.insert_or_assign(row.id, row);
    return {};
}

Result<std::optional<std::string>> MemoryTransaction::get_meta(std::string const& name) {
    auto const found = rows_.meta.find(name);
    return found == rows_.meta.end() ? std::nullopt : std::optional(found->second);
}

Result<void> MemoryTransaction::put_meta(std::string const& name, std::string const& value) {
    rows_.meta.insert_or_assign(name, value);
    return {};
}

Result<void> MemoryTransaction::append_event(EventRow const& row) {
    rows_.events.push_back(row);
    rows_.events.back().seq = rows_.events.size();
    return {};
}

Result<std::vector<EventRow>> MemoryTransaction::events_of(ConnectionId const& id,
                                                           std::size_t limit) {
    std::vector<EventRow> found;
    for (auto const& event : rows_.events) {
        if (event.connection == id.value()) {
            found.push_back(event);
        }
    }
    std::ranges::reverse(found);
    found.resize(std::min(found.size(), limit));
    return found;
}

}  // namespace brickgate

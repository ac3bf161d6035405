// SPDX-License-Identifier: Apache-2.0
#include "vault/api_keys.h"

#include <sodium.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "vault/bearer_shape.h"
#include "vault/record.h"

namespace brickgate {

namespace {

constexpr std::array<std::string_view, 4> known_rights{"admin", "connections", "proxy",
                                                       "token:read"};
constexpr std::string_view prefix = "bg_";
static_assert(bearer_shape::characters(prefix) == ApiKeys::characters);

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        auto const end = std::min(text.find(','), text.size());
        out.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

Result<std::string> joined(std::vector<std::string> rights) {
    std::ranges::sort(rights);
    auto const twice = std::ranges::unique(rights);
    rights.erase(twice.begin(), twice.end());
    std::string out;
    for (auto const& right : rights) {
        if (std::ranges::find(known_rights, right) == known_rights.end()) {
            return fail(ErrorCode::invalid_request,
                        "There is no right '" + clean_text(right, 40) +
                            "': there are token:read, connections, proxy, admin.");
        }
        out += (out.empty() ? "" : ",") + right;
    }
    if (out.empty()) {
        return fail(ErrorCode::invalid_request,
                    "A key needs at least one right, such as token:read.");
    }
    return out;
}

}  // namespace

bool Caller::may(std::string_view right) const {
    return std::ranges::any_of(rights,
                               [&](auto const& held) { return held == right || held == "admin"; });
}

ApiKeys::ApiKeys(Vault& vault, Keyring const& keyring, Clock& clock, Random& random)
    : vault_(vault), keyring_(keyring), clock_(clock), random_(random) {}

std::string ApiKeys::mac_of(ApiKeyRow const& row, std::string_view secret) const {
    std::string const until = row.not_after ? std::to_string(to_ms(*row.not_after)) : "never";
    return keyed_hash(keyring_.api_key(), {row.id, row.tenant, row.rights, until, secret}, 32);
}

Task<Result<void>> ApiKeys::load() {
    std::vector<ApiKeyRow> rows;
    StoreJob const job = [&rows](StoreTransaction& store) -> Result<void> {
        auto found = store.list_api_keys();
        if (!found) {
            return fail(found.error());
        }
        rows = std::move(*found);
        return {};
    };
    auto const ran = co_await vault_.transact(job);
    if (!ran) {
        co_return ran;
    }
    std::scoped_lock const lock(mutex_);
    rows_.clear();
    for (auto& row : rows) {
        std::string const id = row.id;
        rows_.emplace(id, std::move(row));
    }
    co_return Result<void>{};
}

Task<Result<ApiKeys::Created>> ApiKeys::create(std::string name, std::vector<std::string> rights,
                                               std::optional<Time> not_after) {
    auto list = joined(std::move(rights));
    if (!list) {
        co_return fail(std::move(list.error()));
    }
    ApiKeyRow row;
    row.id = random_.hex(bearer_shape::id_characters / 2);
    row.tenant = "default";
    row.name = clean_text(name, 100);
    row.rights = std::move(*list);
    row.not_after = not_after;
    row.created_at = clock_.now();
    Secret const secret = Secret::from(random_.token(32));
    row.mac = secret.expose([&](std::string_view text) { return mac_of(row, text); });
    StoreJob const job = [&row](StoreTransaction& store) { return store.insert_api_key(row); };
    auto const ran = co_await vault_.transact(job);
    if (!ran) {
        co_return fail(ran.error());
    }
    {
        std::scoped_lock const lock(mutex_);
        rows_.insert_or_assign(row.id, row);
    }
    Secret shown = secret.expose([&](std::string_view text) {
        std::string key;
        key.reserve(characters);
        key.append(prefix).append(row.id).append("_").append(text);
        return Secret::from(std::move(key));
    });
    Created created{std::move(row), std::move(shown)};
    co_return std::move(created);
}

Task<Result<bool>> ApiKeys::revoke(std::string id) {
    Time const now = clock_.now();
    bool changed = false;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto const done = store.revoke_api_key(id, now);
        if (!done) {
            return fail(done.error());
        }
        changed = *done;
        return {};
    };
    auto const ran = co_await vault_.transact(job);
    if (!ran) {
        co_return fail(ran.error());
    }
    std::scoped_lock const lock(mutex_);
    if (auto found = rows_.find(id); found != rows_.end() && changed) {
        found->second.revoked_at = now;
    }
    co_return changed;
}

Task<Result<bool>> ApiKeys::mark_leaked(std::string id) {
    {
        std::scoped_lock const lock(mutex_);
        auto const found = rows_.find(id);
        if (found == rows_.end() || found->second.leaked_at) {
            co_return false;  // without the database: somebody may send it again and again
        }
    }
    Time const now = clock_.now();
    bool changed = false;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto const done = store.mark_api_key_leaked(id, now);
        if (!done) {
            return fail(done.error());
        }
        changed = *done;
        return {};
    };
    auto const ran = co_await vault_.transact(job);
    if (!ran) {
        co_return fail(ran.error());
    }
    std::scoped_lock const lock(mutex_);
    if (auto found = rows_.find(id); found != rows_.end() && changed) {
        found->second.leaked_at = now;
    }
    co_return changed;
}

bool ApiKeys::looks_like_one(std::string_view text) {
    return bearer_shape::fits(text, prefix);
}

std::vector<ApiKeyRow> ApiKeys::list() const {
    std::scoped_lock const lock(mutex_);
    std::vector<ApiKeyRow> out;
    for (auto const& [id, row] : rows_) {
        out.push_back(row);
    }
    std::ranges::sort(out, {}, [](auto const& row) { return std::pair(row.created_at, row.id); });
    return out;
}

std::optional<Caller> ApiKeys::verify(std::string_view presented) const {
    if (!looks_like_one(presented)) {
        return std::nullopt;
    }
    std::string const id(bearer_shape::id_of(presented, prefix));
    auto const secret = bearer_shape::secret_of(presented, prefix);
    ApiKeyRow row;
    bool known = false;
    {
        std::scoped_lock const lock(mutex_);
        auto const found = rows_.find(id);
        known = found != rows_.end();
        if (known) {
            row = found->second;
        }
    }
    if (!known || row.mac.size() != 32) {
        // The same work for an id that does not exist, so that time does not tell which ids do.
        known = false;
        row.id = id;
        row.mac = std::string(32, '\0');
    }
    std::string const mac = mac_of(row, secret);
    bool const genuine = sodium_memcmp(mac.data(), row.mac.data(), mac.size()) == 0;
    bool const alive = !row.revoked_at && (!row.not_after || *row.not_after > clock_.now());
    if (!known || !genuine || !alive) {
        return std::nullopt;
    }
    return Caller{row.id, row.tenant, row.name, split(row.rights)};
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "vault/capabilities.h"

#include <sodium.h>

#include <algorithm>

#include "base/encoding.h"
#include "net/router.h"
#include "vault/bearer_shape.h"
#include "vault/record.h"

namespace brickgate {

namespace {

constexpr std::string_view prefix = "bgc_";
constexpr std::size_t mac_bytes = 32;
constexpr std::size_t name_bytes_max = 100;
constexpr std::size_t method_bytes_max = 32;
constexpr Seconds sweep_every = std::chrono::hours(1);
static_assert(bearer_shape::characters(prefix) == Capabilities::characters);

bool is_upper_token(char c) {  // RFC 9110 tchar, without small letters
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           marks.find(c) != std::string_view::npos;
}
bool is_path_character(char c) {
    return c > 0x20 && c < 0x7f && c != '?' && c != '#' && c != '\\';
}

std::vector<std::string> split(std::string_view text, char at) {
    std::vector<std::string> out;
    while (!text.empty()) {
        auto const end = std::min(text.find(at), text.size());
        out.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

std::string joined(std::vector<std::string> parts, char with) {
    std::ranges::sort(parts);
    auto const twice = std::ranges::unique(parts);
    parts.erase(twice.begin(), twice.end());
    std::string out;
    for (auto const& part : parts) {
        out.append(out.empty() ? 0 : 1, with).append(part);
    }
    return out;
}

std::unexpected<Error> wrong(std::string message) {
    return fail(ErrorCode::invalid_request, std::move(message));
}

Result<void> check_methods(std::vector<std::string> const& methods) {
    if (methods.size() > Capabilities::methods_max) {
        return wrong("A capability names 16 methods at most.");
    }
    for (auto const& method : methods) {
        if (method.empty() || method.size() > method_bytes_max ||
            !std::ranges::all_of(method, is_upper_token)) {
            return wrong("'" + clean_text(method, 40) +
                         "' is no method: they are written in capitals, such as GET.");
        }
    }
    return {};
}

// What a proxied call could never have in its path would be a limit that holds nothing.
Result<void> check_paths(std::vector<std::string> const& paths) {
    if (paths.size() > Capabilities::paths_max) {
        return wrong("A capability names 32 paths at most.");
    }
    for (auto const& path : paths) {
        if (path.size() > Capabilities::path_bytes_max) {
            return wrong("A path of a capability has 256 bytes at most.");
        }
        if (!path.starts_with('/') || !std::ranges::all_of(path, is_path_character) ||
            !split_path(path)) {
            return wrong("'" + clean_text(path, 80) +
                         "' is no path: it begins with '/' and has neither dot segments nor a "
                         "query, such as /api/2.0/sql.");
        }
    }
    return {};
}

Result<void> check(CapabilityWish const& wish) {
    if (auto const good = check_methods(wish.methods); !good) {
        return good;
    }
    if (auto const good = check_paths(wish.paths); !good) {
        return good;
    }
    bool const sane = !wish.expires_in || (*wish.expires_in >= Seconds(1) &&
                                           *wish.expires_in <= Capabilities::life_max);
    return sane ? Result<void>{} : wrong("expires_in is seconds from now: 1 to 315360000.");
}

Result<void> insert(StoreTransaction& store, CapabilityRow const& row) {
    auto const found = store.find_connection(row.connection);
    if (!found) {
        return fail(found.error());
    }
    if (!*found) {
        return fail(ErrorCode::connection_unknown, "There is no connection with this id.");
    }
    if ((*found)->state == ConnectionState::disconnected) {
        return fail(ErrorCode::disconnected, "This connection was ended.");
    }
    return store.insert_capability(row);
}

}  // namespace

Capabilities::Capabilities(Vault& vault, Keyring const& keyring, Clock& clock, Random& random)
    : vault_(vault), keyring_(keyring), clock_(clock), random_(random) {}

std::string Capabilities::mac_of(CapabilityRow const& row, std::string_view secret) const {
    // API keys are made with the same key: the first word keeps the two apart.
    std::string const until = row.not_after ? std::to_string(to_ms(*row.not_after)) : "never";
    return keyed_hash(
        keyring_.api_key(),
        {"capability", row.id, row.connection.value(), row.methods, row.paths, until, secret},
        mac_bytes);
}

Capabilities::HeldPointer Capabilities::held(CapabilityRow row) {
    Capability shown{row.id,
                     row.connection,
                     row.name,
                     split(row.methods, ','),
                     split(row.paths, '\n'),
                     row.not_after,
                     row.created_at,
                     row.revoked_at,
                     row.leaked_at};
    return std::make_shared<Held const>(Held{std::move(row), std::move(shown)});
}

Task<Result<void>> Capabilities::load() {
    auto const swept = co_await sweep();
    if (!swept) {
        co_return swept;
    }
    std::vector<CapabilityRow> rows;
    StoreJob const job = [&rows](StoreTransaction& store) -> Result<void> {
        auto found = store.list_capabilities();
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
        std::string id = row.id;
        rows_.emplace(std::move(id), held(std::move(row)));
    }
    co_return Result<void>{};
}

Task<Result<void>> Capabilities::sweep() {
    Time const now = clock_.now();
    if (now - swept_at_ < sweep_every) {
        co_return Result<void>{};
    }
    Time const before = now - ended_kept;
    StoreJob const job = [before](StoreTransaction& store) -> Result<void> {
        auto const gone = store.delete_capabilities_ended_before(before);
        if (!gone) {
            return fail(gone.error());
        }
        return {};
    };
    auto const ran = co_await vault_.transact(job);
    if (!ran) {
        co_return ran;
    }
    swept_at_ = now;
    std::scoped_lock const lock(mutex_);
    std::erase_if(rows_, [&](auto const& entry) {
        auto const& row = entry.second->row;
        return row.not_after.value_or(before) < before || row.revoked_at.value_or(before) < before;
    });
    co_return Result<void>{};
}

Task<Result<Capabilities::Created>> Capabilities::create(CapabilityWish wish) {
    if (auto good = check(wish); !good) {
        co_return fail(std::move(good.error()));
    }
    if (auto swept = co_await sweep(); !swept) {
        co_return fail(std::move(swept.error()));
    }
    if (living(wish.connection) >= living_max) {
        co_return wrong("A connection has 1000 capabilities at once at most: revoke some.");
    }
    CapabilityRow row;
    row.id = random_.hex(bearer_shape::id_characters / 2);
    row.connection = std::move(wish.connection);
    row.name = clean_text(wish.name, name_bytes_max);
    row.methods = joined(std::move(wish.methods), ',');
    row.paths = joined(std::move(wish.paths), '\n');
    row.created_at = clock_.now();
    if (wish.expires_in) {
        row.not_after = row.created_at + *wish.expires_in;
    }
    Secret const secret = Secret::from(random_.token(32));
    row.mac = secret.expose([&](std::string_view text) { return mac_of(row, text); });
    StoreJob const job = [&row](StoreTransaction& store) { return insert(store, row); };
    if (auto ran = co_await vault_.transact(job); !ran) {
        co_return fail(std::move(ran.error()));
    }
    Secret whole = secret.expose([&](std::string_view text) {
        std::string out;
        out.reserve(characters);
        out.append(prefix).append(row.id).append("_").append(text);
        return Secret::from(std::move(out));
    });
    auto made = held(std::move(row));
    Created created{made->shown, std::move(whole)};
    std::scoped_lock const lock(mutex_);
    rows_.insert_or_assign(created.row.id, std::move(made));
    co_return std::move(created);
}

void Capabilities::change(std::string const& id, std::optional<Time> CapabilityRow::* moment,
                          Time now) {
    std::scoped_lock const lock(mutex_);
    if (auto const found = rows_.find(id); found != rows_.end()) {
        CapabilityRow row = found->second->row;
        row.*moment = now;
        found->second = held(std::move(row));
    }
}

Task<Result<bool>> Capabilities::revoke(std::string id) {
    Time const now = clock_.now();
    bool changed = false;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto const done = store.revoke_capability(id, now);
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
    if (changed) {
        change(id, &CapabilityRow::revoked_at, now);
    }
    co_return changed;
}

Task<Result<bool>> Capabilities::mark_leaked(std::string id) {
    {
        std::scoped_lock const lock(mutex_);
        auto const found = rows_.find(id);
        if (found == rows_.end() || found->second->row.leaked_at) {
            co_return false;  // without the database: somebody may send it again and again
        }
    }
    Time const now = clock_.now();
    bool changed = false;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto const done = store.mark_capability_leaked(id, now);
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
    if (changed) {
        change(id, &CapabilityRow::leaked_at, now);
    }
    co_return changed;
}

void Capabilities::end(ConnectionId const& connection) {
    Time const now = clock_.now();
    std::scoped_lock const lock(mutex_);
    for (auto& [id, entry] : rows_) {
        if (entry->row.connection == connection && !entry->row.revoked_at) {
            CapabilityRow row = entry->row;
            row.revoked_at = now;
            entry = held(std::move(row));
        }
    }
}

// Moments of creation are shorter or longer numbers only in other centuries: texts sort as they do.
std::string Capability::cursor() const {
    return std::to_string(to_ms(created_at)) + "-" + id;
}

std::vector<Capability> Capabilities::list(std::optional<ConnectionId> of, std::string_view after,
                                           std::size_t limit) const {
    std::vector<Capability> out;
    {
        std::scoped_lock const lock(mutex_);
        for (auto const& [id, entry] : rows_) {
            bool const wanted = !of || entry->row.connection == *of;
            if (wanted && (after.empty() || entry->shown.cursor() > after)) {
                out.push_back(entry->shown);
            }
        }
    }
    std::ranges::sort(out, {}, [](auto const& row) { return std::pair(row.created_at, row.id); });
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(std::min(out.size(), limit)), out.end());
    return out;
}

std::size_t Capabilities::living(ConnectionId const& connection) const {
    Time const now = clock_.now();
    std::scoped_lock const lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count_if(rows_, [&](auto const& entry) {
        auto const& row = entry.second->row;
        return row.connection == connection && !row.revoked_at &&
               row.not_after.value_or(Time::max()) > now;
    }));
}

bool Capabilities::looks_like_one(std::string_view text) {
    return bearer_shape::fits(text, prefix);
}

std::shared_ptr<Capability const> Capabilities::verify(std::string_view presented) const {
    if (!looks_like_one(presented)) {
        return nullptr;
    }
    std::string const id(bearer_shape::id_of(presented, prefix));
    auto const secret = bearer_shape::secret_of(presented, prefix);
    HeldPointer entry;
    {
        std::scoped_lock const lock(mutex_);
        if (auto const found = rows_.find(id); found != rows_.end()) {
            entry = found->second;
        }
    }
    bool const known = entry && entry->row.mac.size() == mac_bytes;
    if (!known) {
        // The same work for an id that does not exist, so that time does not tell which ids do.
        CapabilityRow nobody;
        nobody.id = id;
        nobody.mac = std::string(mac_bytes, '\0');
        entry = held(std::move(nobody));
    }
    auto const& row = entry->row;
    std::string const mac = mac_of(row, secret);
    bool const genuine = sodium_memcmp(mac.data(), row.mac.data(), mac_bytes) == 0;
    bool const alive = !row.revoked_at && (!row.not_after || *row.not_after > clock_.now());
    if (!known || !genuine || !alive) {
        return nullptr;
    }
    return {entry, &entry->shown};
}

}  // namespace brickgate

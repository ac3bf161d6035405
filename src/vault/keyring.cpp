// SPDX-License-Identifier: Apache-2.0
#include "vault/keyring.h"

#include <algorithm>
#include <array>

#include "base/failpoint.h"
#include "vault/data_key.h"
#include "vault/record.h"

namespace brickgate {

namespace {

constexpr std::string_view spool_purpose = "spool";
constexpr std::string_view api_purpose = "api_mac";
constexpr std::string_view index_purpose = "index";
constexpr std::array<std::string_view, 3> rotating{"token", "login", spool_purpose};
constexpr std::array<std::string_view, 5> purposes{"token", "login", spool_purpose, api_purpose,
                                                   index_purpose};
constexpr std::string_view meta_mac = "ring_mac";
constexpr std::string_view meta_version = "ring_version";

std::uint32_t next_id(Keyring::Rows const& rows) {
    return rows.empty() ? 1 : rows.back().id + 1;
}

bool has(Keyring::Rows const& rows, std::string_view purpose, std::string_view state) {
    return std::ranges::any_of(
        rows, [&](auto const& row) { return row.purpose == purpose && row.state == state; });
}

Secret random_key(Random& random) {
    return Secret::from(random.bytes(KeyArena::key_bytes));
}

Secret const& root_named(std::vector<Secret> const& roots, std::uint32_t id) {
    return *std::ranges::find(roots, id, id_of_root);
}

}  // namespace

void Keyring::add_root(Secret const& root) {
    auto const id = id_of_root(root);
    if (!root_of(id)) {
        roots_.push_back({id, arena_.add(derive_key(root, "bgwrap__")),
                          arena_.add(derive_key(root, "bgring__"))});
    }
}

Keyring::Root const* Keyring::root_of(std::uint32_t id) const {
    auto const found = std::ranges::find(roots_, id, &Root::id);
    return found == roots_.end() ? nullptr : &*found;
}

KeyRow Keyring::make_key(std::uint32_t id, std::string_view purpose, Secret const& key, Time now,
                         Random& random) const {
    KeyRow row;
    row.id = id;
    row.purpose = purpose;
    row.state = key_state::active;
    row.root_id = roots_.front().id;
    row.created_at = now;
    wrap_data_key(row, key, roots_.front().wrap, random.bytes(record_nonce_bytes));
    return row;
}

Result<Keyring::Rows> Keyring::make_ring(StoreTransaction& store, Time now, Random& random) const {
    auto const connections = store.count_by_state();
    if (!connections) {
        return fail(connections.error());
    }
    if (!connections->empty()) {
        return fail(ErrorCode::keyring_invalid,
                    "The key ring is gone, and there are connections that it sealed.");
    }
    Rows rows;
    for (auto const purpose : purposes) {
        rows.push_back(make_key(next_id(rows), purpose, random_key(random), now, random));
    }
    return rows;
}

// The commonest fault first, in words that help: the wrong root key.
Result<void> Keyring::check(Rows const& rows, std::optional<std::string> const& version,
                            std::optional<std::string> const& mac) const {
    for (auto const& row : rows) {
        if (!root_of(row.root_id)) {
            return fail(ErrorCode::root_key_invalid, "This data folder needs the root key " +
                                                         root_id_text(row.root_id) +
                                                         "; given was " + root_ids() + ".");
        }
    }
    auto const& root = rows.empty() ? roots_.front() : *root_of(rows.front().root_id);
    if (!version || !mac || ring_mac(rows, *version, root.ring) != *mac) {
        return fail(ErrorCode::keyring_invalid, "The key ring was changed: its seal does not fit.");
    }
    return {};
}

// A ring from before these were keys of their own had them derived from its root: what was made
// with them goes on being good.
void Keyring::complete(Rows& rows, Secret const& root, Time now, Random& random) const {
    if (!has(rows, spool_purpose, key_state::active)) {
        rows.push_back(make_key(next_id(rows), spool_purpose, random_key(random), now, random));
    }
    if (!has(rows, api_purpose, key_state::active)) {
        rows.push_back(
            make_key(next_id(rows), api_purpose, derive_key(root, "bgapikey"), now, random));
    }
    if (!has(rows, index_purpose, key_state::active)) {
        rows.push_back(
            make_key(next_id(rows), index_purpose, derive_key(root, "bgindex_"), now, random));
    }
}

Result<Keyring::Rows> Keyring::rewrapped(Rows rows, std::uint32_t to, Random& random) const {
    for (auto& row : rows) {
        auto const* const from = root_of(row.root_id);
        row.root_id = row.state == key_state::destroyed ? to : row.root_id;
        if (row.root_id == to) {
            continue;
        }
        auto const key = unwrap_data_key(row, from->wrap);
        if (!key) {
            return fail(key.error());
        }
        row.root_id = to;
        wrap_data_key(row, *key, root_of(to)->wrap, random.bytes(record_nonce_bytes));
    }
    return rows;
}

Result<void> Keyring::load_or_make(StoreTransaction& store, std::vector<Secret> const& roots,
                                   Time now, Random& random) {
    auto rows = store.list_keys();
    auto const version = store.get_meta(std::string(meta_version));
    auto const mac = store.get_meta(std::string(meta_mac));
    if (!rows || !version || !mac) {
        return fail(ErrorCode::store_unavailable, "The key ring cannot be read.");
    }
    std::ranges::sort(*rows, {}, &KeyRow::id);
    bool const is_new = rows->empty() && !*version && !*mac;
    if (!is_new) {
        if (auto const good = check(*rows, *version, *mac); !good) {
            return good;
        }
    }
    auto const sealed_by = rows->empty() ? roots_.front().id : rows->front().root_id;
    derived_spool_ = arena_.add(derive_key(root_named(roots, sealed_by), "bgspool_"));
    auto wanted =
        is_new ? make_ring(store, now, random) : rewrapped(*rows, roots_.front().id, random);
    if (!wanted) {
        return fail(wanted.error());
    }
    complete(*wanted, root_named(roots, sealed_by), now, random);
    if (sealed_by != roots_.front().id || wanted->size() != rows->size()) {
        if (auto const written = write(store, *wanted); !written) {
            return written;
        }
        failpoint("R8");
    }
    return adopt_locked(std::move(*wanted));
}

Result<void> Keyring::adopt_locked(Rows rows) {
    std::map<std::uint32_t, DataKey> keys;
    for (auto const& row : rows) {
        if (row.state == key_state::destroyed) {
            continue;
        }
        auto const known = keys_.find(row.id);
        if (known != keys_.end()) {
            keys[row.id] = {row.id, row.purpose, row.state, known->second.key};
            continue;
        }
        auto const key = unwrap_data_key(row, root_of(row.root_id)->wrap);
        if (!key) {
            return fail(key.error());
        }
        keys[row.id] = {row.id, row.purpose, row.state, arena_.add(*key)};
    }
    auto const current = std::ranges::find(roots_, rows.front().root_id, &Root::id);
    std::rotate(roots_.begin(), current, current + 1);
    keys_ = std::move(keys);
    rows_ = std::move(rows);
    return {};
}

Result<std::unique_ptr<Keyring>> Keyring::open(std::vector<Secret> root_keys, Store& store,
                                               bool lock_required, Time now, Random& random) {
    if (root_keys.empty()) {
        return fail(ErrorCode::root_key_invalid, "There is no root key.");
    }
    std::unique_ptr<Keyring> ring(new Keyring);
    if (auto const opened = ring->arena_.open(lock_required); !opened) {
        return fail(opened.error());
    }
    for (auto const& root : root_keys) {
        ring->add_root(root);
    }
    StoreJob const job = [&](StoreTransaction& rows) {
        return ring->load_or_make(rows, root_keys, now, random);
    };
    if (auto const done = store.transact_one(job); !done) {
        return fail(done.error());
    }
    ring->api_ = ring->active(api_purpose)->key;
    ring->index_ = ring->active(index_purpose)->key;
    return ring;
}

std::optional<Keyring::DataKey> Keyring::active(std::string_view purpose) const {
    std::scoped_lock const lock(mutex_);
    for (auto const& [id, key] : keys_) {
        if (key.purpose == purpose && key.state == key_state::active) {
            return key;
        }
    }
    return std::nullopt;
}

std::optional<Keyring::DataKey> Keyring::find(std::uint32_t id) const {
    std::scoped_lock const lock(mutex_);
    auto const found = keys_.find(id);
    return found == keys_.end() ? std::nullopt : std::optional(found->second);
}

SpoolKeys::SpoolKey Keyring::spool_key() const {
    auto const key = active(spool_purpose);
    return {key->id, key->key};
}

std::optional<KeyArena::Key> Keyring::find_spool_key(std::uint32_t id) const {
    if (id == 0) {
        return derived_spool_;
    }
    auto const found = find(id);
    return found && found->purpose == spool_purpose ? std::optional(found->key) : std::nullopt;
}

Keyring::Rows Keyring::rows() const {
    std::scoped_lock const lock(mutex_);
    return rows_;
}

Keyring::Rows Keyring::with_new_keys(Rows rows, Time now, Random& random) const {
    std::scoped_lock const lock(mutex_);
    for (auto const purpose : rotating) {
        if (has(rows, purpose, key_state::pending)) {
            continue;
        }
        rows.push_back(make_key(next_id(rows), purpose, random_key(random), now, random));
        rows.back().state = key_state::pending;
    }
    return rows;
}

Result<Keyring::Rows> Keyring::with_root(Rows rows, Secret const& root, Random& random) {
    std::scoped_lock const lock(mutex_);
    add_root(root);
    return rewrapped(std::move(rows), id_of_root(root), random);
}

Result<void> Keyring::write(StoreTransaction& store, Rows const& rows) const {
    auto const before = store.get_meta(std::string(meta_version));
    if (!before) {
        return fail(before.error());
    }
    auto const version = std::to_string(*before ? std::stoull(**before) + 1 : 1);
    for (auto const& row : rows) {
        if (auto const put = store.put_key(row); !put) {
            return put;
        }
    }
    if (auto const put = store.put_meta(std::string(meta_version), version); !put) {
        return put;
    }
    auto const* const root = root_of(rows.front().root_id);
    return store.put_meta(std::string(meta_mac), ring_mac(rows, version, root->ring));
}

Result<void> Keyring::adopt(Rows rows) {
    std::scoped_lock const lock(mutex_);
    return adopt_locked(std::move(rows));
}

void Keyring::forget_root(std::string const& id) {
    std::scoped_lock const lock(mutex_);
    std::erase_if(roots_, [&](Root const& root) { return root_id_text(root.id) == id; });
}

std::string Keyring::root_id() const {
    std::scoped_lock const lock(mutex_);
    return root_id_text(roots_.front().id);
}

std::vector<std::string> Keyring::former_roots() const {
    std::scoped_lock const lock(mutex_);
    std::vector<std::string> out;
    for (std::size_t i = 1; i < roots_.size(); ++i) {
        out.push_back(root_id_text(roots_[i].id));
    }
    return out;
}

std::string Keyring::root_ids() const {
    std::string out;
    for (auto const& root : roots_) {
        out += (out.empty() ? "" : ", ") + root_id_text(root.id);
    }
    return out;
}

}  // namespace brickgate

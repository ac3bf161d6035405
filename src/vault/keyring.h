// SPDX-License-Identifier: Apache-2.0
#pragma once
// The key ring of security design C.2: data keys, one active for each purpose, wrapped under the
// root key. What is opened is looked up by id; what is sealed takes the active key, and only inside
// a store job, so that no seal under a former key can come after the count that retires it. Key
// material lives in the key arena. Any thread; changes are made by one at a time: rows(), a changed
// copy, write() inside a store job, adopt() when that is committed. Errors: root_key_invalid,
// keyring_invalid.
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "vault/key_arena.h"
#include "vault/spool_keys.h"
#include "vault/store.h"

namespace brickgate {

class Keyring final : public SpoolKeys {
 public:
    // Reads the rows, makes first data keys where there are none, writes the ring's MAC. The first
    // root key seals: where another one of them wrapped the rows, they are wrapped anew (C.6, R8).
    static Result<std::unique_ptr<Keyring>> open(std::vector<Secret> root_keys, Store& store,
                                                 bool lock_required, Time now, Random& random);

    struct DataKey {
        std::uint32_t id = 0;
        std::string purpose;
        std::string state;
        KeyArena::Key key = nullptr;
    };
    std::optional<DataKey> active(std::string_view purpose) const;
    std::optional<DataKey> find(std::uint32_t id) const;

    // These two never change: what they made, fingerprints and the MACs of API keys and
    // capabilities, cannot be made anew without what was handed out.
    KeyArena::Key index_key() const { return index_; }
    KeyArena::Key api_key() const { return api_; }
    // Entries with the id 0 are sealed under a key that is derived from the root.
    SpoolKey spool_key() const override;
    std::optional<KeyArena::Key> find_spool_key(std::uint32_t id) const override;

    std::string root_id() const;                    // hex, to name the key without showing it
    std::vector<std::string> former_roots() const;  // given too; no row needs them

    using Rows = std::vector<KeyRow>;  // in the order of their ids
    Rows rows() const;
    // A pending key more for each purpose that rotates.
    Rows with_new_keys(Rows rows, Time now, Random& random) const;
    // The rows under another root, which is one of ours from now on.
    Result<Rows> with_root(Rows rows, Secret const& root, Random& random);
    Result<void> write(StoreTransaction& store, Rows const& rows) const;
    Result<void> adopt(Rows rows);
    void forget_root(std::string const& id);  // a former one

 private:
    Keyring() = default;
    struct Root {
        std::uint32_t id = 0;
        KeyArena::Key wrap = nullptr;
        KeyArena::Key ring = nullptr;
    };
    Result<void> load_or_make(StoreTransaction& store, std::vector<Secret> const& roots, Time now,
                              Random& random);
    Result<Rows> make_ring(StoreTransaction& store, Time now, Random& random) const;
    Result<void> check(Rows const& rows, std::optional<std::string> const& version,
                       std::optional<std::string> const& mac) const;
    void complete(Rows& rows, Secret const& root, Time now, Random& random) const;
    KeyRow make_key(std::uint32_t id, std::string_view purpose, Secret const& key, Time now,
                    Random& random) const;
    Root const* root_of(std::uint32_t id) const;
    void add_root(Secret const& root);
    Result<Rows> rewrapped(Rows rows, std::uint32_t to, Random& random) const;
    Result<void> adopt_locked(Rows rows);
    std::string root_ids() const;

    mutable std::mutex mutex_;  // guards what follows, but for the three derived keys
    KeyArena arena_;
    std::vector<Root> roots_;  // the first is the current one
    Rows rows_;
    std::map<std::uint32_t, DataKey> keys_;
    KeyArena::Key index_ = nullptr;
    KeyArena::Key api_ = nullptr;
    KeyArena::Key derived_spool_ = nullptr;
};

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// The key hierarchy of security design C.2: a root key, the keys derived from it for one purpose
// each, and the data keys that it wraps. Key material lives in the key arena. Made once at start,
// then read only; any thread. Errors: root_key_invalid, keyring_invalid, vault_unknown_key,
// vault_error.
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "vault/key_arena.h"
#include "vault/store.h"

namespace brickgate {

// What a root key file holds: lines "rk1:<base64 of 32 bytes>". The first seals and opens; further
// ones open nothing yet (there is no root rotation) and only let a refusal say that the right key
// is there but does not come first.
Result<std::vector<Secret>> parse_root_keys(std::string_view text);
struct RootKeyFile {
    std::vector<Secret> keys;
    bool made = false;  // it is new: tell the person to keep a copy
};
// Must be a regular file of ours with mode 0400 or 0600 and one link; made (0400) if it is absent.
Result<RootKeyFile> load_root_key_file(std::filesystem::path const& path, Random& random);

class Keyring {
 public:
    // Reads the rows, makes first data keys where there are none, writes the ring's MAC.
    static Result<std::unique_ptr<Keyring>> open(std::vector<Secret> root_keys, Store& store,
                                                 bool lock_required, Time now, Random& random);

    struct DataKey {
        std::uint32_t id = 0;
        std::string purpose;
        std::string state;
        KeyArena::Key key;
    };
    DataKey const* active(std::string_view purpose) const;
    DataKey const* find(std::uint32_t id) const;

    KeyArena::Key index_key() const { return index_; }
    KeyArena::Key api_key() const { return api_; }
    Secret spool_key() const;
    std::string root_id() const;  // hex, to name the key without showing it

 private:
    Keyring() = default;
    struct Root {
        std::uint32_t id = 0;
        KeyArena::Key wrap;
    };
    void adopt_roots(std::vector<Secret> root_keys);
    Result<void> load_or_make(StoreTransaction& store, Time now, Random& random);
    Result<void> make_ring(StoreTransaction& store, Time now, Random& random);
    Result<void> check_roots(std::vector<KeyRow> const& rows) const;
    Result<void> unwrap_all(std::vector<KeyRow> const& rows);
    KeyRow make_key(std::uint32_t id, std::string const& purpose, Time now, Random& random);
    std::string ring_mac(std::vector<KeyRow> const& rows, std::string const& version) const;
    std::string root_ids() const;

    KeyArena arena_;
    std::vector<Root> roots_;
    KeyArena::Key ring_, index_, api_, spool_;
    std::map<std::uint32_t, DataKey> keys_;
};

}  // namespace brickgate

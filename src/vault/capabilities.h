// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tokens of our own for SDKs and drivers: "bgc_<16 hex>_<43 characters>", bound to one connection,
// perhaps to methods, paths and a time. Shown once, kept as a keyed MAC over id, connection,
// methods, paths, expiry and secret (security design C.5), so that a thief who can write the
// database can neither make one nor widen one. They end with their connection. verify(), list() and
// end() are for any thread; the rest runs on the control executor.
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "net/task.h"
#include "vault/keyring.h"
#include "vault/store.h"
#include "vault/vault.h"

namespace brickgate {

struct Capability {
    std::string id;
    ConnectionId connection;
    std::string name;
    std::vector<std::string> methods;  // empty: any
    std::vector<std::string> paths;    // empty: any; else prefixes, by whole segments
    std::optional<Time> not_after;
    Time created_at{};
    std::optional<Time> revoked_at;
    std::optional<Time> leaked_at;  // it stood in an address (T49)

    bool limited() const { return !methods.empty() || !paths.empty(); }
    std::string cursor() const;  // of its place in lists, where it stays when the row has gone
};

struct CapabilityWish {
    ConnectionId connection = {};
    std::string name = {};
    std::vector<std::string> methods = {};  // upper case, as HTTP has them
    std::vector<std::string> paths = {};    // begin with '/'; bytes are compared, escapes as sent
    std::optional<Seconds> expires_in = {};
};

class Capabilities {
 public:
    static constexpr std::size_t methods_max = 16;  // HTTP has nine; WebDAV some more
    static constexpr std::size_t paths_max = 32;
    static constexpr std::size_t path_bytes_max = 256;
    static constexpr std::size_t living_max = 1000;                     // of one connection at once
    static constexpr Seconds life_max = std::chrono::hours(24) * 3650;  // ten years
    // Ended ones are listed so long, and then forgotten: programs make one for each job.
    static constexpr Seconds ended_kept = std::chrono::hours(24) * 30;

    Capabilities(Vault& vault, Keyring const& keyring, Clock& clock, Random& random);
    Task<Result<void>> load();  // once at start: rows are kept in memory

    struct Created {
        Capability row;
        Secret capability;  // the only time it can be seen
    };
    // Errors: invalid_request, connection_unknown, disconnected.
    Task<Result<Created>> create(CapabilityWish wish);
    Task<Result<bool>> revoke(std::string id);
    // It stood in an address: noted once; false if that was known.
    Task<Result<bool>> mark_leaked(std::string id);
    // The connection was ended, and with it the rows of these; what memory holds follows.
    void end(ConnectionId const& connection);

    static constexpr std::size_t all = std::size_t(-1);
    // Oldest first; `after`: a cursor, or empty.
    std::vector<Capability> list(std::optional<ConnectionId> of = {}, std::string_view after = {},
                                 std::size_t limit = all) const;
    // nullptr: not one of ours, expired or revoked. An unknown id takes the same path as a wrong
    // secret.
    std::shared_ptr<Capability const> verify(std::string_view presented) const;
    static bool looks_like_one(std::string_view text);
    static constexpr std::size_t characters = 64;

 private:
    struct Held {
        CapabilityRow row;
        Capability shown;
    };
    using HeldPointer = std::shared_ptr<Held const>;

    static HeldPointer held(CapabilityRow row);
    std::string mac_of(CapabilityRow const& row, std::string_view secret) const;
    void change(std::string const& id, std::optional<Time> CapabilityRow::* moment, Time now);
    Task<Result<void>> sweep();
    std::size_t living(ConnectionId const& connection) const;

    Vault& vault_;
    Keyring const& keyring_;
    Clock& clock_;
    Random& random_;
    Time swept_at_{};
    mutable std::mutex mutex_;
    std::unordered_map<std::string, HeldPointer> rows_;
};

}  // namespace brickgate

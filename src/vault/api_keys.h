// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who may call us: API keys "bg_<16 hex>_<43 characters>", shown once, kept as a keyed MAC over id,
// tenant, rights, expiry and secret (security design C.5), so that a thief who can write the
// database can neither make a key nor widen one. verify() is for any thread; the rest runs on the
// control executor.
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "net/task.h"
#include "vault/keyring.h"
#include "vault/store.h"
#include "vault/vault.h"

namespace brickgate {

struct Caller {
    std::string key_id;  // "local" for the socket of the data folder
    std::string tenant;
    std::string name;
    std::vector<std::string> rights;

    bool may(std::string_view right) const;  // "admin" may everything
};

class ApiKeys {
 public:
    ApiKeys(Vault& vault, Keyring const& keyring, Clock& clock, Random& random);
    Task<Result<void>> load();  // once at start: rows are kept in memory

    struct Created {
        ApiKeyRow row;
        Secret key;  // the only time it can be seen
    };
    // Rights: token:read, connections, proxy, admin. Errors: invalid_request.
    Task<Result<Created>> create(std::string name, std::vector<std::string> rights,
                                 std::optional<Time> not_after);
    Task<Result<bool>> revoke(std::string id);
    // It stood in an address: noted once; false if that was known.
    Task<Result<bool>> mark_leaked(std::string id);
    std::vector<ApiKeyRow> list() const;
    // An unknown id takes the same path as a wrong secret. nullopt: not a key of ours, expired or
    // revoked.
    std::optional<Caller> verify(std::string_view presented) const;
    static bool looks_like_one(std::string_view text);
    static constexpr std::size_t characters = 63;

 private:
    std::string mac_of(ApiKeyRow const& row, std::string_view secret) const;

    Vault& vault_;
    Keyring const& keyring_;
    Clock& clock_;
    Random& random_;
    mutable std::mutex mutex_;
    std::unordered_map<std::string, ApiKeyRow> rows_;
};

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// Access tokens in memory for the hot path, sealed with AES-256-GCM under a key that lives as long as the
// process, so that a heap dump or a stray read shows none. Sharded by connection; any thread. An entry is
// replaced only by one of the same or a newer (family, generation); forget() when a grant ends.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/secret.h"
#include "tokens/refresh_policy.h"

namespace brickgate {

struct CachedToken {                 // all but the token itself
    std::string token_type;
    std::string scopes;
    std::string fingerprint;
    std::uint64_t family = 0;
    std::uint64_t generation = 0;
    Time issued_at{};
    Time expires_at{};
    bool session_only = false;
};

class TokenCache {
 public:
    TokenCache(Random& random, RefreshPolicy policy);
    ~TokenCache();

    // Calls see(CachedToken const&, std::string_view access_token) and returns true when a token with enough
    // life is there: the wish (capped, see RefreshPolicy::least_life) and the serving margin are both met.
    bool use(ConnectionId const& id, Time now, Seconds min_valid,
             std::function<void(CachedToken const&, std::string_view)> const& see);
    std::optional<CachedToken> peek(ConnectionId const& id);
    // Whatever is left of it: for callers to whom an old token is better than none.
    bool use_any_valid(ConnectionId const& id, Time now,
                       std::function<void(CachedToken const&, std::string_view)> const& see);
    void put(ConnectionId const& id, CachedToken token, Secret const& access_token);
    void forget(ConnectionId const& id);
    std::size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
    struct Entry;
    struct Shard;
    bool open(ConnectionId const& id, Time least_expiry_exclusive, Time now, Seconds min_valid, bool margin,
              std::function<void(CachedToken const&, std::string_view)> const& see);
    Shard& shard_of(ConnectionId const& id);

    RefreshPolicy policy_;
    Random& random_;
    Secret key_;
    std::array<std::unique_ptr<Shard>, 16> shards_;
    std::atomic<std::size_t> size_ = 0;
};

}  // namespace brickgate

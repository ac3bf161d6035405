// SPDX-License-Identifier: Apache-2.0
#pragma once
// Access tokens in memory for the hot path, sealed with AES-256-GCM under a key that lives as long
// as the process, so that a heap dump or a stray read shows none. Sharded by connection; any
// thread. An entry is replaced only by one of the same or a newer (family, generation); forget()
// when a grant ends.

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

struct CachedToken {  // all but the token itself
    std::string token_type;
    std::string scopes;
    std::string workspace;
    std::string fingerprint;
    std::uint64_t family = 0;
    std::uint64_t generation = 0;
    Time issued_at{};
    Time expires_at{};
    bool session_only = false;
    std::string workspace_id = {};
};

class TokenCache {
 public:
    TokenCache(Random& random, RefreshPolicy policy);
    ~TokenCache();

    using See = std::function<void(CachedToken const&, std::string_view access_token)> const&;
    // Calls see() and returns true when a token with enough life is there: the wish (capped, see
    // RefreshPolicy::least_life) and the serving margin are both met. The view ends with the call.
    bool use(ConnectionId const& id, Time now, Seconds min_valid, See see);
    // Whatever is left of it that Databricks still takes (RefreshPolicy::last_use): for callers to
    // whom an old token is better than none.
    bool use_any_valid(ConnectionId const& id, Time now, See see);
    std::optional<CachedToken> peek(ConnectionId const& id);
    void put(ConnectionId const& id, CachedToken token, Secret const& access_token);
    void forget(ConnectionId const& id);
    // The grant was ended: what a refresh in flight may still bring of this family is not taken any
    // more.
    void end(ConnectionId const& id, std::uint64_t family);
    std::size_t size() const { return size_.load(std::memory_order_relaxed); }
    // Told of every token that is not the one before, and of every end. Set before anybody asks;
    // called on the thread that made the change, without a lock.
    void on_change(std::function<void(ConnectionId const&)> tell) { tell_ = std::move(tell); }

 private:
    struct Entry;
    struct Shard;
    Shard& shard_of(ConnectionId const& id);
    std::shared_ptr<Entry const> find(ConnectionId const& id);
    std::string seal(ConnectionId const& id, Secret const& access_token);
    bool open(ConnectionId const& id, Entry const& entry, See see);
    bool replace(ConnectionId const& id, std::shared_ptr<Entry> entry);  // true: by a newer one
    void tell(ConnectionId const& id) const;

    RefreshPolicy policy_;
    Secret key_;
    std::uint64_t serial_;
    std::string nonce_prefix_;  // with a counter: no nonce twice under the process key
    std::atomic<std::uint64_t> nonce_counter_ = 0;
    std::array<std::unique_ptr<Shard>, 16> shards_;
    std::atomic<std::size_t> size_ = 0;
    std::function<void(ConnectionId const&)> tell_;
};

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// T46: who says that a token was refused may have it refreshed, at most once a minute for each
// connection, whether a workspace says so or a caller; else either could have tokens made as fast
// as they can ask. Who was refused the same token as the one that began it may wait for what comes
// of it. Any thread.
#include <mutex>
#include <optional>
#include <unordered_map>

#include "base/clock.h"
#include "base/ids.h"

namespace brickgate {

class ForcedRefreshes {
 public:
    explicit ForcedRefreshes(Clock const& clock) : clock_(clock) {}
    // nullopt: refresh; else how long to wait, at least a second. `rejected_generation`: of the
    // connection's current token, which was refused.
    std::optional<Seconds> refuse(ConnectionId const& connection,
                                  std::uint64_t rejected_generation);

 private:
    struct Forced {
        Instant at{};
        std::uint64_t generation = 0;  // of the token that was refused
    };

    Clock const& clock_;
    std::mutex mutex_;
    std::unordered_map<ConnectionId, Forced> forced_;
};

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "tokens/forced_refreshes.h"

#include <algorithm>

namespace brickgate {

namespace {

constexpr Milliseconds between = std::chrono::seconds(60);
constexpr std::size_t kept_max = 10'000;

}  // namespace

std::optional<Seconds> ForcedRefreshes::refuse(ConnectionId const& connection,
                                               std::uint64_t rejected_generation) {
    Instant const now = clock_.steady();
    auto const is_past = [&](Forced const& forced) { return now - forced.at >= between; };
    std::scoped_lock const lock(mutex_);
    if (forced_.size() >= kept_max) {
        std::erase_if(forced_, [&](auto const& entry) { return is_past(entry.second); });
    }
    Forced const wanted{now, rejected_generation};
    auto const [entry, is_new] = forced_.try_emplace(connection, wanted);
    if (is_new || is_past(entry->second)) {
        entry->second = wanted;
        return std::nullopt;
    }
    if (entry->second.generation == rejected_generation) {
        return std::nullopt;
    }
    auto const left = std::chrono::ceil<Seconds>(between - (now - entry->second.at));
    return std::max(Seconds(1), left);
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// When to refresh, how much life a token must have to be handed out, how long to wait after a
// failure. Pure: time and randomness are arguments. Figures: databricks-facts section 6 (min(TTL/2,
// 20 min), as Databricks' own clients), security design D.6, D.7, D.9.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "vault/connection.h"

namespace brickgate {

// A presentation of a refresh token whose outcome nobody knows.
struct UnknownOutcome {
    unsigned presented = 1;  // how often this generation may have reached the server
    bool end_seen = false;   // a reset, an EOF or the server's own answer: no time-out, no crash
    Time presented_at{};
    Time access_expires_at{};
    unsigned fail_count = 0;
    unsigned same_refresh_token_count = 0;  // answers in a row that brought no other one

    static UnknownOutcome of(Connection const& row, bool end_seen, Time now);
};

struct RefreshPolicy {
    Milliseconds lead_max = std::chrono::minutes(20);
    Milliseconds serve_margin =
        std::chrono::seconds(60);  // Databricks refuses tokens in their last 30 s
    Milliseconds uncertain_wait =
        std::chrono::seconds(30);       // a lost answer: within every known grace period
    bool uncertain_retry_late = false;  // no repeat before the old token is nearly over
    double jitter = 0.10;

    // `dice` in [0, 1) spreads the moment over +-10 % of the lead.
    Time due_at(Time issued, Time expires, double dice) const;
    // The life a token must have left to be handed out without a refresh: the margin (a fifth of a
    // short token's life) or the wish, which is capped at half the life, or a 5-minute token would
    // be refreshed by every call that asks for more.
    Milliseconds least_life(Time issued, Time expires, Seconds min_valid) const;

    // The life below which a token is worth nothing: never handed out, whatever else fails.
    Milliseconds last_use(Time issued, Time expires) const;

    // 429 and 503, and failures before the first byte: 1 s * 2^n, 60 s at most, +-20 %.
    Milliseconds transient_wait(unsigned fail_count, double dice) const;
    // The same, where the server said how long to wait: never sooner, spread a little, and not so
    // late that the token runs out over it.
    Milliseconds asked_wait(std::optional<Seconds> retry_after, unsigned fail_count,
                            Milliseconds life_left, double dice) const;
    // When the same token may be presented again (D.6). The first repeat comes when the first
    // request cannot be answered any more; it can only succeed or end the old access token early,
    // so later ones wait until that one is nearly over. A server that has given the same refresh
    // token three times spends none: repeats are free.
    Time present_again_at(UnknownOutcome const& outcome, Time now, double dice) const;
    // Wrong client, wrong host: 1, 2, 4 ... 60 min, for what a person has to mend.
    Milliseconds operator_wait(unsigned fail_count) const;
};

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "tokens/refresh_policy.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
// With so little left of the old access token, a repeat that ends it early costs nothing (D.6).
constexpr Milliseconds nothing_to_lose = 60s;
// A server may still be at work on a request whose client has hung up, be it by a time-out or a
// crash. Its answer then would make the repeat look like a stolen token (D.6).
constexpr Milliseconds after_hanging_up = 10s;
constexpr unsigned known_to_be_reusable = 3;
constexpr Milliseconds refused_from = 30s;  // Databricks refuses tokens in their last 30 s
// A Retry-After is honoured up to here even if the token is over: who asks then is told to wait.
constexpr Milliseconds least_asked_cap = 60s;
constexpr double asked_jitter = 0.2;  // everybody was told the same moment

Milliseconds scaled(Milliseconds value, double factor) {
    return Milliseconds(static_cast<std::int64_t>(static_cast<double>(value.count()) * factor));
}

Milliseconds doubled(Milliseconds first, unsigned times, Milliseconds most) {
    unsigned const steps = std::min(times, 20U);
    return std::min(Milliseconds(first * (1L << steps)), most);
}

}  // namespace

UnknownOutcome UnknownOutcome::of(Connection const& row, bool end_seen, Time now) {
    UnknownOutcome out{
        1, end_seen, now, row.access_expires_at, row.fail_count, row.same_refresh_token_count};
    if (row.intent) {
        out.presented = row.intent->presented;
        out.presented_at = row.intent->at;
    }
    return out;
}

Time RefreshPolicy::due_at(Time issued, Time expires, double dice) const {
    Milliseconds const life = std::max(Milliseconds(0), expires - issued);
    Milliseconds const lead = std::min(life / 2, lead_max);
    return expires - scaled(lead, 1.0 + jitter * (2 * dice - 1));
}

Milliseconds RefreshPolicy::least_life(Time issued, Time expires, Seconds min_valid) const {
    Milliseconds const life = std::max(Milliseconds(0), expires - issued);
    Milliseconds const margin = std::min(serve_margin, life / 5);
    Milliseconds const wish = std::min<Milliseconds>(min_valid, life / 2);
    return std::max(margin, wish);
}

Milliseconds RefreshPolicy::last_use(Time issued, Time expires) const {
    return std::min(refused_from, std::max(Milliseconds(0), expires - issued) / 10);
}

Milliseconds RefreshPolicy::transient_wait(unsigned fail_count, double dice) const {
    return scaled(doubled(1s, fail_count, 60s), 0.8 + 0.4 * dice);
}

Milliseconds RefreshPolicy::asked_wait(std::optional<Seconds> retry_after, unsigned fail_count,
                                       Milliseconds life_left, double dice) const {
    Milliseconds const own = transient_wait(fail_count, dice);
    if (!retry_after) {
        return own;
    }
    Milliseconds const asked = scaled(*retry_after, 1.0 + asked_jitter * dice);
    return std::max(own, std::min(asked, std::max(life_left - nothing_to_lose, least_asked_cap)));
}

Time RefreshPolicy::present_again_at(UnknownOutcome const& outcome, Time now, double dice) const {
    if (outcome.same_refresh_token_count >= known_to_be_reusable) {
        return now + transient_wait(outcome.fail_count, dice);
    }
    if (outcome.presented <= 1 && !uncertain_retry_late) {
        return outcome.end_seen
                   ? now + 1s + scaled(2s, dice)
                   : std::max(now + after_hanging_up, outcome.presented_at + uncertain_wait);
    }
    unsigned const repeats = outcome.presented <= 1 ? 0 : outcome.presented - 2;
    Milliseconds const pause = doubled(30s, repeats, 10min);
    return std::max(now + pause, outcome.access_expires_at - nothing_to_lose);
}

Milliseconds RefreshPolicy::operator_wait(unsigned fail_count) const {
    return doubled(1min, fail_count, 60min);
}

}  // namespace brickgate

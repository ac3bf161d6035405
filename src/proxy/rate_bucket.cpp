// SPDX-License-Identifier: Apache-2.0
#include "proxy/rate_bucket.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace brickgate {

namespace {

using namespace std::chrono_literals;

// Below the published limit, so that what clocks and the way there differ by does not empty the
// server's bucket.
constexpr double headroom = 0.98;
constexpr double cut_to = 0.85;         // of the rate, by a refusal that stands alone
constexpr double measured_least = 0.7;  // of the rate, however small the share looks
// Never slower than a twentieth of the limit: there must be calls to learn from.
constexpr double floor_share = 0.05;
constexpr double floor_per_second = 0.2;   // where nothing is published
constexpr double seconds_to_full = 60;     // additive growth: from nothing to the whole limit
constexpr double below_ceiling = 0.98;     // of our share: its measure is off by about as much
constexpr Milliseconds unasked_hold = 1s;  // a 429 that names no time
constexpr Milliseconds hold_min = 100ms;   // Retry-After: 0 means soon, not the same moment
constexpr Milliseconds hold_max = 10min;   // the longest block anybody reported (facts 7.1)
// Two refusals further apart say nothing: in between the bucket may have been full.
constexpr Milliseconds measure_max = 2min;
constexpr std::uint64_t measure_calls_min = 30;  // a share of fewer calls is off by more than 3 %
constexpr Milliseconds patience_min = 10min;     // before trying for more than our share
constexpr Milliseconds patience_max = 60min;     // it doubles each time trying fails
constexpr Milliseconds probe_time = 3min;        // to climb, and to empty the server's bucket
// Timers are late by milliseconds; what comes due meanwhile must not be lost.
constexpr double late_by_seconds = 0.1;
constexpr double whole = 1.0 - 1e-9;  // a token, after sums of fractions

double seconds(Milliseconds time) {
    return static_cast<double>(time.count()) / 1000.0;
}

}  // namespace

RateBucket::RateBucket(RateLimit const& limit, Instant now)
    : limit_(limit),
      at_(now),
      tokens_(std::max(1.0, limit.burst)),
      rate_(limit.per_second * headroom),
      patience_(patience_min),
      second_began_(now) {}

double RateBucket::reference() const {
    return limit_.per_second > 0 ? limit_.per_second : ceiling_.value_or(1.0);
}

double RateBucket::least() const {
    return limit_.per_second > 0 ? limit_.per_second * floor_share : floor_per_second;
}

double RateBucket::goal() const {
    if (ceiling_ && !probing_) {
        return std::max(*ceiling_ * below_ceiling, least());
    }
    return limit_.per_second > 0 ? limit_.per_second * headroom : 2 * reference();
}

double RateBucket::slope() const {
    return reference() / seconds_to_full;
}

// Once refused, it no longer saves up for a burst.
double RateBucket::capacity() const {
    double const paced = 1 + rate_ * late_by_seconds;
    return cut_at_ || ceiling_ ? paced : std::max(limit_.burst, paced);
}

// What the next `time` seconds bring, while the rate grows to its goal and stays there.
double RateBucket::tokens_in(double time) const {
    double const growing = std::clamp((goal() - rate_) / slope(), 0.0, time);
    double const then = rate_ + slope() * growing;
    return (rate_ + then) / 2 * growing + then * (time - growing);
}

void RateBucket::note_time(Instant now) {
    if (ceiling_ && !probing_ && now >= probe_at_) {
        probing_ = true;
    }
    bool const has_climbed =
        limit_.per_second > 0 ? now >= probe_at_ + probe_time : rate_ >= goal();
    if (probing_ && has_climbed) {
        ceiling_.reset();
        probing_ = false;
        patience_ = patience_min;
    }
    if (!ceiling_ && cut_at_ && now - *cut_at_ > measure_max) {
        cut_at_.reset();
    }
    if (held_until_ && now >= *held_until_) {
        held_until_.reset();
    }
}

void RateBucket::refresh(Instant now) {
    if (now <= at_) {
        return;
    }
    Instant const from = held_until_ ? std::clamp(*held_until_, at_, now) : at_;
    if (!unlimited()) {
        double const time = seconds(now - from);
        tokens_ = std::min(capacity(), tokens_ + tokens_in(time));
        rate_ = rate_ < goal() ? std::min(goal(), rate_ + slope() * time) : goal();
    }
    at_ = now;
    note_time(now);
}

void RateBucket::count_grant(Instant now) {
    if (now - second_began_ >= 1s) {
        last_second_ = now - second_began_ < 2s ? this_second_ : 0;
        this_second_ = 0;
        second_began_ = now;
    }
    this_second_ += 1;
}

bool RateBucket::take(Instant now) {
    refresh(now);
    if (unlimited()) {
        count_grant(now);
        return true;
    }
    if (tokens_ < whole) {
        return false;
    }
    tokens_ -= 1;
    return true;
}

void RateBucket::borrow(Instant now) {
    refresh(now);
    if (unlimited()) {
        count_grant(now);
    } else {
        tokens_ -= 1;
    }
}

Milliseconds RateBucket::wait_for(double calls, Instant now) {
    refresh(now);
    Milliseconds const held = held_until_ ? *held_until_ - now : Milliseconds(0);
    double const lacking = calls - tokens_;
    if (unlimited() || lacking <= 1 - whole) {
        return held;
    }
    // tokens_in() turned round: a growing part, then a steady one.
    double const climb = std::max(0.0, (goal() - rate_) / slope());
    double const in_climb = tokens_in(climb);
    double const time = lacking > in_climb
                            ? climb + (lacking - in_climb) / goal()
                            : (std::sqrt(rate_ * rate_ + 2 * slope() * lacking) - rate_) / slope();
    double const whole_ms = std::ceil(time * 1000 - 1e-6);  // no millisecond for a rounding error
    return held + Milliseconds(std::max<std::int64_t>(1, static_cast<std::int64_t>(whole_ms)));
}

void RateBucket::start_measuring(Instant now) {
    emptied_at_ = now;
    accepted_ = 0;
}

void RateBucket::cut(Instant now) {
    if (unlimited()) {
        // Nothing is published: what went through just now is the first guess.
        rate_ = static_cast<double>(std::max<std::uint64_t>({this_second_, last_second_, 1}));
        ceiling_ = rate_ / below_ceiling;
    }
    if (std::exchange(probing_, false)) {
        patience_ = std::min(2 * patience_, patience_max);
    }
    if (!emptied_at_ || now - *emptied_at_ > measure_max) {
        start_measuring(now);
        rate_ = std::max(std::min(rate_ * cut_to, goal()), least());
    } else if (accepted_ < measure_calls_min) {
        rate_ = std::max(std::min(rate_ * cut_to, goal()), least());
    } else {
        double const share = static_cast<double>(accepted_) / seconds(now - *emptied_at_);
        ceiling_ = std::clamp(share, rate_ * measured_least, rate_);
        rate_ = goal();
        start_measuring(now);
    }
    if (ceiling_) {
        probe_at_ = now + patience_;
    }
    cut_at_ = now;
}

bool RateBucket::observed(RateObservation const& seen, Instant now) {
    if (!limit_.adapts) {
        return false;
    }
    refresh(now);
    bool const is_news = !cut_at_ || seen.granted_at > *cut_at_;
    if (seen.status != 429) {
        accepted_ += !emptied_at_ || seen.granted_at > *emptied_at_ ? 1 : 0;
        return false;
    }
    Milliseconds const hold =
        seen.server_wait ? std::clamp(*seen.server_wait, hold_min, hold_max) : unasked_hold;
    if (is_news) {
        cut(now);
    }
    held_until_ = std::max(held_until_.value_or(now), now + hold);
    tokens_ = std::min(tokens_, 0.0);  // and none come while it is held
    return is_news;
}

bool RateBucket::is_idle(Instant now) {
    refresh(now);
    if (held_until_ || cut_at_ || ceiling_) {
        return false;
    }
    if (unlimited()) {
        return now - second_began_ >= 2s;
    }
    return rate_ >= goal() && tokens_ >= capacity();
}

std::optional<double> RateBucket::rate(Instant now) {
    refresh(now);
    return unlimited() ? std::nullopt : std::optional(rate_);
}

std::optional<Instant> RateBucket::held_until(Instant now) const {
    return held_until_ && *held_until_ > now ? held_until_ : std::nullopt;
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// How fast one family of one workspace may be called: a token bucket whose rate follows what the
// server says. It runs a little below the published limit. A 429 ends all calls for as long as the
// server asks and cuts the rate by a part; from there it grows by a fixed amount a second. Between
// two refusals the bucket of the server went from empty to empty, so what it let through meanwhile,
// over the time, is our true share beside other clients: the rate then stays just below that share,
// and only after a patience tries for more. Pure: time is an argument and never runs backwards.
// Without a published limit there is none until the first 429. Not thread safe (RateLimiter's).
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace brickgate {

struct RateLimit {
    double per_second = 0;  // as published; 0: nothing is published
    double burst = 1;       // calls that may leave at once after a pause; at least 0.1 s worth
    bool adapts = true;     // a 429 changes the rate
};

// What came of a call.
struct RateObservation {
    int status = 0;
    std::optional<Milliseconds> server_wait = std::nullopt;  // Retry-After, RetryInfo
    Instant granted_at{};
};

class RateBucket {
 public:
    RateBucket(RateLimit const& limit, Instant now);

    // One call leaves now, if it may.
    bool take(Instant now);
    // One call leaves whatever the bucket says; those after it wait for the longer.
    void borrow(Instant now);
    // How long until `calls` more calls may have left.
    Milliseconds wait_for(double calls, Instant now);
    // True: this was a new refusal, not one more of those that were on their way, and the rate was
    // cut.
    bool observed(RateObservation const& seen, Instant now);

    // As if nobody had ever called: it may be forgotten.
    bool is_idle(Instant now);
    std::optional<double> rate(Instant now);  // nullopt: no limit
    std::optional<Instant> held_until(Instant now) const;

 private:
    bool unlimited() const { return limit_.per_second <= 0 && !ceiling_; }
    double reference() const;  // the full rate that shares are shares of
    double least() const;
    double goal() const;
    double slope() const;
    double capacity() const;
    double tokens_in(double seconds) const;
    void refresh(Instant now);
    void count_grant(Instant now);
    void start_measuring(Instant now);
    void cut(Instant now);
    void note_time(Instant now);

    RateLimit limit_;
    Instant at_;  // what follows is true of this moment
    double tokens_;
    double rate_;
    std::optional<Instant> held_until_;

    // What refusals have taught.
    std::optional<double> ceiling_;  // our share beside others
    Instant probe_at_{};             // from here on, try for more
    bool probing_ = false;
    Milliseconds patience_;
    std::optional<Instant> cut_at_;
    std::optional<Instant> emptied_at_;  // the server's bucket, when measuring began
    std::uint64_t accepted_ = 0;         // calls since then

    // While there is no limit: how fast it goes, for the day a limit is met.
    Instant second_began_;
    std::uint64_t this_second_ = 0;
    std::uint64_t last_second_ = 0;
};

}  // namespace brickgate

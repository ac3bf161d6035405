// SPDX-License-Identifier: Apache-2.0
#include "proxy/rate_bucket.h"

#include <gtest/gtest.h>

namespace brickgate {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{Milliseconds(5'000)};

int taken_in(RateBucket& bucket, Instant from, Milliseconds time) {
    int taken = 0;
    for (Instant now = from; now < from + time; now += 1ms) {
        while (bucket.take(now)) {
            taken += 1;
        }
    }
    return taken;
}

bool refused(RateBucket& bucket, Instant now, std::optional<Milliseconds> wait = std::nullopt) {
    return bucket.observed({.status = 429, .server_wait = wait, .granted_at = now}, now);
}

TEST(RateBucket, a_burst_and_then_a_little_below_the_published_limit) {
    RateBucket bucket({.per_second = 20, .burst = 10}, start);
    EXPECT_EQ(taken_in(bucket, start, 1ms), 10);
    EXPECT_EQ(bucket.wait_for(1, start), 52ms);  // 1 / 19.6
    EXPECT_NEAR(taken_in(bucket, start + 1ms, 10s), 196, 1);
    EXPECT_EQ(taken_in(bucket, start + 60s, 1ms), 10);  // no more, however long the pause
}

TEST(RateBucket, wait_for_tells_the_very_moment) {
    RateBucket bucket({.per_second = 7, .burst = 1}, start);
    Instant now = start;
    ASSERT_TRUE(refused(bucket, now));  // so that the rate grows meanwhile
    for (int i = 0; i < 200; ++i) {
        Milliseconds const wait = bucket.wait_for(1, now);
        ASSERT_GT(wait, 0ms);
        RateBucket early = bucket;
        EXPECT_FALSE(early.take(now + wait - 2ms)) << i;
        now += wait;
        EXPECT_TRUE(bucket.take(now)) << i;
    }
}

TEST(RateBucket, many_calls_wait_as_long_as_many_calls_take) {
    RateBucket bucket({.per_second = 10, .burst = 1}, start);
    ASSERT_TRUE(refused(bucket, start));
    Milliseconds const wait = bucket.wait_for(400, start);
    EXPECT_NEAR(taken_in(bucket, start, wait), 400, 1);
}

TEST(RateBucket, a_refusal_holds_everything_for_as_long_as_the_server_asks) {
    RateBucket bucket({.per_second = 20, .burst = 10}, start);
    EXPECT_TRUE(refused(bucket, start, 5s));
    EXPECT_EQ(bucket.held_until(start), start + 5s);
    EXPECT_EQ(taken_in(bucket, start, 5s), 0);
    EXPECT_GT(taken_in(bucket, start + 5s, 1s), 10);
    EXPECT_EQ(bucket.held_until(start + 6s), std::nullopt);
}

TEST(RateBucket, a_hold_is_bounded_both_ways) {
    RateBucket bucket({.per_second = 20}, start);
    refused(bucket, start, 0s);
    EXPECT_EQ(bucket.held_until(start), start + 100ms);
    refused(bucket, start + 1s, 24h);
    EXPECT_EQ(bucket.held_until(start + 1s), start + 1s + 10min);
    RateBucket unasked({.per_second = 20}, start);
    refused(unasked, start);
    EXPECT_EQ(unasked.held_until(start), start + 1s);
}

TEST(RateBucket, refusals_of_calls_that_were_on_their_way_are_one_refusal) {
    RateBucket bucket({.per_second = 20}, start);
    double const before = *bucket.rate(start + 2s);
    EXPECT_TRUE(refused(bucket, start + 2s));
    double const after = *bucket.rate(start + 2s);
    EXPECT_NEAR(after, before * 0.85, 1e-9);
    for (int i = 0; i < 10; ++i) {
        EXPECT_FALSE(bucket.observed({.status = 429, .granted_at = start + 1s}, start + 2s));
    }
    EXPECT_EQ(*bucket.rate(start + 2s), after);
}

TEST(RateBucket, recovers_by_a_fixed_amount_a_second_to_the_published_limit) {
    RateBucket bucket({.per_second = 60}, start);
    refused(bucket, start);
    double const low = *bucket.rate(start + 1s);
    EXPECT_NEAR(*bucket.rate(start + 2s), low + 1, 1e-6);
    EXPECT_NEAR(*bucket.rate(start + 5s), low + 4, 1e-6);
    EXPECT_NEAR(*bucket.rate(start + 60s), 60 * 0.98, 1e-6);
}

TEST(RateBucket, never_below_the_floor) {
    RateBucket bucket({.per_second = 20}, start);
    for (int i = 0; i < 200; ++i) {
        refused(bucket, start + i * 1001ms);
    }
    EXPECT_GE(*bucket.rate(start + 200 * 1001ms), 1.0);
}

// Two refusals 40 s apart with 600 calls in between: 15 a second is what we get. Ten minutes later
// more is tried.
TEST(RateBucket, keeps_just_below_the_share_it_has_measured_and_tries_again_later) {
    RateBucket bucket({.per_second = 20}, start);
    refused(bucket, start);
    for (int i = 0; i < 600; ++i) {
        bucket.observed({.status = 200, .granted_at = start + 1s}, start + 1s);
    }
    refused(bucket, start + 40s);
    double const measured = *bucket.rate(start + 40s);
    EXPECT_NEAR(measured, 0.98 * 15, 0.01);
    EXPECT_NEAR(*bucket.rate(start + 9min), measured, 0.01);
    EXPECT_FALSE(bucket.is_idle(start + 9min));
    bucket.rate(start + 11min);
    EXPECT_GT(*bucket.rate(start + 12min), measured);
    EXPECT_NEAR(*bucket.rate(start + 14min), 19.6, 0.01);
    bucket.rate(start + 15min);
    EXPECT_TRUE(bucket.is_idle(start + 15min));
}

TEST(RateBucket, where_nothing_is_published_there_is_no_limit_until_a_429) {
    RateBucket bucket({.per_second = 0}, start);
    EXPECT_EQ(bucket.rate(start), std::nullopt);
    for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(bucket.take(start + 10ms));
    }
    EXPECT_FALSE(bucket.is_idle(start + 1s));
    EXPECT_TRUE(bucket.is_idle(start + 3s));
    refused(bucket, start + 500ms, 2s);
    EXPECT_EQ(taken_in(bucket, start + 500ms, 2s), 0);
    EXPECT_NEAR(*bucket.rate(start + 2500ms), 850, 1);
    // Later it may go faster again, and in the end without limit.
    for (Instant now = start; now < start + 20min; now += 1s) {
        bucket.take(now);
    }
    EXPECT_EQ(bucket.rate(start + 20min), std::nullopt);
}

TEST(RateBucket, where_a_429_is_somebody_elses_it_changes_nothing) {
    RateBucket bucket({.per_second = 20, .burst = 2, .adapts = false}, start);
    EXPECT_FALSE(refused(bucket, start, 60s));
    EXPECT_EQ(bucket.held_until(start), std::nullopt);
    EXPECT_TRUE(bucket.take(start));
}

TEST(RateBucket, time_that_seems_to_run_backwards_brings_nothing) {
    RateBucket bucket({.per_second = 20, .burst = 1}, start);
    EXPECT_TRUE(bucket.take(start));
    EXPECT_FALSE(bucket.take(start - 1h));
    EXPECT_FALSE(bucket.take(start));
    EXPECT_TRUE(bucket.take(start + 52ms));
}

}  // namespace
}  // namespace brickgate

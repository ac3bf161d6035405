// SPDX-License-Identifier: Apache-2.0
#include "tokens/refresh_policy.h"

#include <gtest/gtest.h>

namespace brickgate {
namespace {

using namespace std::chrono_literals;

Time at(Seconds s) {
    return Time(s);
}

TEST(RefreshPolicy, is_half_the_life_ahead_for_short_tokens_and_twenty_minutes_for_long_ones) {
    RefreshPolicy const policy;
    struct Row {
        Seconds life;
        Seconds lead;
    };
    for (auto const& row : {Row{5min, 150s}, Row{30min, 15min}, Row{1h, 20min}, Row{24h, 20min}}) {
        EXPECT_EQ(policy.due_at(at(0s), at(row.life), 0.5), at(row.life - row.lead))
            << row.life.count();
    }
}

TEST(RefreshPolicy, jitter_spreads_the_moment_over_a_tenth_of_the_lead_and_never_past_expiry) {
    RefreshPolicy const policy;
    Time const early = policy.due_at(at(0s), at(1h), 0.9999999);
    Time const late = policy.due_at(at(0s), at(1h), 0.0);
    EXPECT_NEAR(static_cast<double>((late - early).count()), 240'000.0, 10.0);
    EXPECT_LT(late, at(1h));
}

TEST(RefreshPolicy, a_wish_for_more_life_than_a_short_token_has_does_not_refresh_at_every_call) {
    RefreshPolicy const policy;
    EXPECT_EQ(policy.least_life(at(0s), at(5min), 300s), 150s);
    EXPECT_EQ(policy.least_life(at(0s), at(1h), 300s), 300s);
}

TEST(RefreshPolicy, the_margin_shrinks_with_the_life) {
    RefreshPolicy const policy;
    EXPECT_EQ(policy.least_life(at(0s), at(1h), 0s), 60s);
    EXPECT_EQ(policy.least_life(at(0s), at(20s), 0s), 4s);
}

TEST(RefreshPolicy, transient_waits_double_to_a_minute) {
    RefreshPolicy const policy;
    EXPECT_EQ(policy.transient_wait(0, 0.5), 1s);
    EXPECT_EQ(policy.transient_wait(3, 0.5), 8s);
    EXPECT_EQ(policy.transient_wait(40, 0.5), 60s);
    EXPECT_EQ(policy.transient_wait(40, 0.0), 48s);
}

TEST(RefreshPolicy, a_servers_wish_is_met_as_far_as_the_token_lives) {
    RefreshPolicy const policy;
    EXPECT_EQ(policy.asked_wait(std::nullopt, 3, 20min, 0.5), 8s);
    EXPECT_EQ(policy.asked_wait(0s, 3, 20min, 0.5), 8s) << "our own pause is the least";
    EXPECT_EQ(policy.asked_wait(100s, 0, 20min, 0.0), 100s) << "never sooner than asked";
    EXPECT_EQ(policy.asked_wait(100s, 0, 20min, 0.5), 110s);
    EXPECT_EQ(policy.asked_wait(86400s, 0, 20min, 0.5), 19min);
    EXPECT_EQ(policy.asked_wait(86400s, 0, -5min, 0.5), 60s) << "the token is over: ask again";
    EXPECT_EQ(policy.asked_wait(10s, 0, -5min, 0.0), 10s);
}

TEST(RefreshPolicy, a_connection_seen_to_end_is_retried_soon_and_a_time_out_late) {
    RefreshPolicy const policy;
    auto const again = [&](unsigned presented, bool end_seen, Seconds expires) {
        // Presented at 0 s, now it is 20 s.
        UnknownOutcome const outcome{presented, end_seen, at(0s), at(expires)};
        return policy.present_again_at(outcome, at(20s), 0.5) - at(20s);
    };
    EXPECT_EQ(again(1, true, 3600s), 2s);
    EXPECT_EQ(again(1, false, 3600s), 10s) << "half a minute after it was presented";
    EXPECT_EQ(again(2, true, 3600s), 3520s) << "when the old token is nearly over";
    EXPECT_EQ(again(2, true, 60s), 30s);
    EXPECT_EQ(again(20, true, 60s), 10min);
}

// A process that stood still between its claim and its request waits from the end of the request.
TEST(RefreshPolicy, D6_a_repeat_leaves_the_server_time_to_notice_that_we_hung_up) {
    RefreshPolicy const policy;
    UnknownOutcome const lost{1, false, at(0s), at(1h)};
    EXPECT_EQ(policy.present_again_at(lost, at(44s), 0.5), at(54s));
    EXPECT_EQ(policy.present_again_at(lost, at(29s), 0.5), at(39s));
}

TEST(RefreshPolicy, D6_late_skips_the_first_chance) {
    RefreshPolicy policy;
    policy.uncertain_retry_late = true;
    UnknownOutcome const seen_to_end{1, true, at(0s), at(1h)};
    EXPECT_EQ(policy.present_again_at(seen_to_end, at(20s), 0.5), at(59min));
}

TEST(RefreshPolicy, D6_a_server_that_spends_no_token_is_asked_again_at_once) {
    for (bool const late : {false, true}) {
        RefreshPolicy policy;
        policy.uncertain_retry_late = late;
        UnknownOutcome outcome{4, false, at(0s), at(1h), 2, 3};
        EXPECT_EQ(policy.present_again_at(outcome, at(20s), 0.5), at(24s));
        outcome.same_refresh_token_count = 2;
        EXPECT_EQ(policy.present_again_at(outcome, at(20s), 0.5), at(59min));
    }
}

TEST(RefreshPolicy, what_a_person_must_mend_is_asked_for_ever_more_seldom) {
    RefreshPolicy const policy;
    EXPECT_EQ(policy.operator_wait(0), 1min);
    EXPECT_EQ(policy.operator_wait(3), 8min);
    EXPECT_EQ(policy.operator_wait(9), 60min);
}

}  // namespace
}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
// Who may knock at a token endpoint: the breaker of a host, the faults of a registration.
#include "tokens/gatekeeper.h"

#include <gtest/gtest.h>

namespace brickgate {
namespace {

using namespace std::chrono_literals;

class Door : public testing::Test {
 protected:
    std::string knock(std::string const& host = "a") {
        auto const pass = gatekeeper_.knock(host, ours_, now_);
        if (!pass) {
            return std::string(info_of(pass.error().code).name);
        }
        pass_ = *pass;
        return "go";
    }
    void fail_times(int times) {
        for (int i = 0; i < times; ++i) {
            gatekeeper_.failed({"a", false}, now_);
        }
    }
    void open_the_breaker() {
        fail_times(5);
        EXPECT_EQ(knock(), "host_blocked");
    }
    // The breaker's pause is over, and the next to knock is the probe.
    void reach_the_probe() {
        open_the_breaker();
        now_ += 10s;
        EXPECT_EQ(knock(), "go");
        EXPECT_EQ(knock(), "host_blocked");
    }

    Time now_ = Time(1'000'000s);
    RegistrationId ours_{"reg_1"};
    Gatekeeper gatekeeper_;
    Gatekeeper::Pass pass_;  // the last one
};

TEST_F(Door, five_failures_in_a_row_close_it_for_this_host_only) {
    fail_times(4);
    EXPECT_EQ(knock(), "go");
    fail_times(1);
    EXPECT_EQ(knock(), "host_blocked");
    EXPECT_EQ(knock("b"), "go");
}

TEST_F(Door, a_success_in_between_begins_the_count_anew) {
    fail_times(4);
    gatekeeper_.succeeded({"a"}, ours_);
    fail_times(4);
    EXPECT_EQ(knock(), "go");
}

TEST_F(Door, D7_the_others_follow_when_the_probe_succeeds) {
    reach_the_probe();
    gatekeeper_.succeeded({"a"}, ours_);
    EXPECT_EQ(knock(), "go");
    EXPECT_EQ(knock(), "go");
}

TEST_F(Door, a_probe_that_fails_closes_it_for_longer) {
    reach_the_probe();
    gatekeeper_.failed({"a", true}, now_);
    now_ += 6s;
    EXPECT_EQ(knock(), "host_blocked");
    now_ += 60s;
    EXPECT_EQ(knock(), "go");
}

TEST_F(Door, a_probe_that_reached_nobody_leaves_its_place_to_the_next) {
    reach_the_probe();
    gatekeeper_.gave_up({"a", true});
    EXPECT_EQ(knock(), "go");
    EXPECT_EQ(knock(), "host_blocked");
}

TEST_F(Door, a_wrong_client_secret_closes_it_for_the_registration_on_every_host) {
    gatekeeper_.app_failed(ours_, ErrorCode::invalid_client, now_, 1min);
    EXPECT_EQ(knock("a"), "app_fault");
    EXPECT_EQ(knock("b"), "app_fault");
    EXPECT_TRUE(gatekeeper_.knock("a", RegistrationId("reg_2"), now_));
    now_ += 61s;
    EXPECT_EQ(knock(), "go") << "one tries whether it was mended";
    EXPECT_EQ(knock(), "app_fault") << "the others wait for what it learns";
    gatekeeper_.succeeded({"a"}, ours_);
    EXPECT_EQ(knock(), "go");
}

TEST_F(Door, D7_what_proves_no_health_does_not_let_the_others_follow) {
    reach_the_probe();
    gatekeeper_.unsure(pass_, now_);  // it answered 503, or with a page
    EXPECT_EQ(knock(), "host_blocked");
    now_ += 6s;
    EXPECT_EQ(knock(), "host_blocked") << "longer than the first time";
    now_ += 10s;
    EXPECT_EQ(knock(), "go");
    EXPECT_TRUE(pass_.probe);
    gatekeeper_.answered(pass_);  // invalid_grant: an OAuth server spoke
    EXPECT_EQ(knock(), "go");
    EXPECT_FALSE(pass_.probe);
}

TEST_F(Door, a_busy_host_is_not_a_sick_one) {
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(knock(), "go");
        gatekeeper_.unsure(pass_, now_);
        now_ += 200ms;
    }
}

TEST_F(Door, what_was_sent_before_it_closed_neither_takes_the_probes_place_nor_ends_its_wait) {
    EXPECT_EQ(knock(), "go");
    auto const early = pass_;
    reach_the_probe();
    gatekeeper_.gave_up(early);
    EXPECT_EQ(knock(), "host_blocked") << "the probe is still under way";
    gatekeeper_.failed(early, now_);
    EXPECT_EQ(knock(), "host_blocked");
    gatekeeper_.gave_up({"a", true});
    EXPECT_EQ(knock(), "go");
}

TEST_F(Door, D9_a_second_lets_five_through_to_one_host_and_fifty_in_all) {
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(knock("a"), "go") << i;
    }
    EXPECT_EQ(knock("a"), "refresh_pending");
    EXPECT_EQ(gatekeeper_.knock("a", ours_, now_).error().wait, 200ms);
    for (int i = 0; i < 45; ++i) {
        EXPECT_EQ(knock("host" + std::to_string(i)), "go") << i;
    }
    EXPECT_EQ(knock("b"), "refresh_pending");
    EXPECT_EQ(gatekeeper_.knock("b", ours_, now_).error().wait, 20ms);
    now_ += 200ms;
    EXPECT_EQ(knock("a"), "go");
    EXPECT_EQ(knock("a"), "refresh_pending");
}

TEST_F(Door, D9_over_a_minute_no_more_than_the_rate_and_one_burst_get_through) {
    int passed = 0;
    for (int i = 0; i < 6000; ++i) {
        passed += knock() == "go" ? 1 : 0;
        now_ += 10ms;
    }
    EXPECT_LE(passed, 60 * 5 + 5);
    EXPECT_GE(passed, 60 * 5);
}

TEST_F(Door, a_clock_that_is_set_back_locks_nobody_out) {
    for (int i = 0; i < 5; ++i) {
        knock();
    }
    now_ -= 1h;
    EXPECT_EQ(knock(), "go");
}

TEST_F(Door, whoever_is_refused_spends_nothing_of_the_rate) {
    gatekeeper_.app_failed(ours_, ErrorCode::invalid_client, now_, 10s);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(knock(), "app_fault");
    }
    gatekeeper_.succeeded({"a"}, ours_);
    EXPECT_EQ(knock(), "go");
}

}  // namespace
}  // namespace brickgate

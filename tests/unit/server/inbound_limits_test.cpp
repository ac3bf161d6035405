// SPDX-License-Identifier: Apache-2.0
#include "server/inbound_limits.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/manual_clock.h"

namespace brickgate {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{Milliseconds(5'000)};

int passed(InboundLimits& limits, InboundClass kind, std::string_view who, Instant now,
           int times = 100) {
    int count = 0;
    for (int i = 0; i < times; ++i) {
        count += limits.check(kind, who, now) ? 0 : 1;
    }
    return count;
}

TEST(InboundLimits, T50_ten_sign_ins_and_sixty_callbacks_a_minute_and_address) {
    InboundLimits limits;
    EXPECT_EQ(passed(limits, InboundClass::login, "192.0.2.1", start), 10);
    EXPECT_EQ(passed(limits, InboundClass::callback, "192.0.2.1", start), 60);
    EXPECT_EQ(passed(limits, InboundClass::failed_authentication, "192.0.2.1", start), 30);
    EXPECT_EQ(passed(limits, InboundClass::login, "192.0.2.2", start), 10);
    EXPECT_EQ(passed(limits, InboundClass::login, "192.0.2.1", start + 6s), 1);
    EXPECT_EQ(passed(limits, InboundClass::login, "192.0.2.1", start + 1min), 9);
    EXPECT_EQ(passed(limits, InboundClass::login, "192.0.2.1", start + 1h), 10);
}

TEST(InboundLimits, T50_retry_after_is_whole_seconds_and_true) {
    InboundLimits limits;
    passed(limits, InboundClass::login, "192.0.2.1", start);
    for (Milliseconds const later : {0ms, 1ms, 999ms, 5001ms, 5999ms}) {
        auto const wait = limits.check(InboundClass::login, "192.0.2.1", start + later);
        ASSERT_TRUE(wait);
        EXPECT_EQ(*wait, std::chrono::ceil<Seconds>(6s - later));
    }
    EXPECT_FALSE(limits.check(InboundClass::login, "192.0.2.1", start + 6s));
    InboundLimits quick({.api_key = {.per_second = 100, .burst = 1}});
    EXPECT_FALSE(quick.check(InboundClass::api_key, "k", start));
    EXPECT_EQ(quick.check(InboundClass::api_key, "k", start), 1s);
}

TEST(InboundLimits, T50_an_ipv6_subscriber_is_one_caller) {
    InboundLimits limits;
    int count = 0;
    for (int i = 0; i < 100; ++i) {
        std::string const address = "2001:db8:1:2:" + std::to_string(i) + "::" + std::to_string(i);
        count += limits.check(InboundClass::login, address, start) ? 0 : 1;
    }
    EXPECT_EQ(count, 10);
    EXPECT_EQ(passed(limits, InboundClass::login, "2001:db8:1:3::1", start), 10);
    EXPECT_EQ(passed(limits, InboundClass::login, "fe80::1%eth0", start), 10);
    EXPECT_EQ(passed(limits, InboundClass::login, "fe80::2%eth1", start), 0);
}

TEST(InboundLimits, T50_one_address_in_two_spellings_is_one_caller) {
    InboundLimits limits;
    EXPECT_EQ(passed(limits, InboundClass::login, "192.0.2.1", start), 10);
    EXPECT_EQ(passed(limits, InboundClass::login, "::ffff:192.0.2.1", start), 0);
    EXPECT_EQ(passed(limits, InboundClass::login, "::ffff:c000:201", start), 0);
    EXPECT_EQ(passed(limits, InboundClass::login, "2001:DB8::1", start), 10);
    EXPECT_EQ(passed(limits, InboundClass::login, "2001:db8:0:0:0:0:0:1", start), 0);
}

TEST(InboundLimits, T50_many_keys_do_not_lift_the_limit_of_the_address) {
    InboundLimits limits(
        {.api_key = {.per_second = 1, .burst = 5}, .address = {.per_second = 1, .burst = 50}});
    int count = 0;
    for (int key = 0; key < 1000; ++key) {
        bool const by_key =
            limits.check(InboundClass::api_key, std::to_string(key), start).has_value();
        bool const by_address = limits.check(InboundClass::address, "192.0.2.1", start).has_value();
        count += by_key || by_address ? 0 : 1;
    }
    EXPECT_EQ(count, 50);
}

TEST(InboundLimits, T50_a_clock_that_is_set_back_changes_nothing) {
    testing::ManualClock clock;
    InboundLimits limits;
    EXPECT_EQ(passed(limits, InboundClass::login, "192.0.2.1", clock.steady()), 10);
    clock.set_wall(clock.now() - 1h);
    EXPECT_EQ(passed(limits, InboundClass::login, "192.0.2.1", clock.steady()), 0);
    clock.set_wall(clock.now() + 48h);
    EXPECT_EQ(passed(limits, InboundClass::login, "192.0.2.1", clock.steady()), 0);
    clock.pass(6s);
    EXPECT_EQ(passed(limits, InboundClass::login, "192.0.2.1", clock.steady()), 1);
    // Two threads that read the clock and come here in the other order.
    EXPECT_EQ(passed(limits, InboundClass::login, "192.0.2.1", clock.steady() - 1s), 0);
    clock.pass(6s);
    EXPECT_EQ(passed(limits, InboundClass::login, "192.0.2.1", clock.steady()), 1);
    EXPECT_FALSE(limits.check(InboundClass::login, "192.0.2.2", clock.steady()));
    EXPECT_EQ(passed(limits, InboundClass::login, "192.0.2.2", clock.steady() - 1min), 9);
}

TEST(InboundLimits, classes_and_names_do_not_mix) {
    InboundLimits limits({.api_key = {1, 1}, .connection = {1, 1}, .unauthenticated = {1, 3}});
    EXPECT_FALSE(limits.check(InboundClass::api_key, "x", start));
    EXPECT_TRUE(limits.check(InboundClass::api_key, "x", start));
    EXPECT_FALSE(limits.check(InboundClass::api_key, "X", start));
    EXPECT_FALSE(limits.check(InboundClass::connection, "x", start));
    EXPECT_EQ(passed(limits, InboundClass::unauthenticated, "a", start), 3);
    EXPECT_EQ(passed(limits, InboundClass::unauthenticated, "b", start), 0);
}

TEST(InboundLimits, what_is_not_limited_passes_and_takes_no_place) {
    InboundLimits limits({.api_key = {.per_second = 0}});
    EXPECT_EQ(passed(limits, InboundClass::api_key, "x", start), 100);
    EXPECT_EQ(passed(limits, InboundClass::login, "", start), 100);  // a Unix socket
    EXPECT_EQ(limits.entries(), 0);
}

TEST(InboundLimits, T50_the_table_is_bounded_and_forgets_the_longest_unused) {
    InboundLimits limits({.entries_max = 800});
    passed(limits, InboundClass::login, "192.0.2.1", start);
    for (int i = 0; i < 20'000; ++i) {
        limits.check(InboundClass::address,
                     "10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." +
                         std::to_string(i & 255),
                     start);
        if (i % 20 == 0) {  // it keeps coming, so it stays known
            EXPECT_TRUE(limits.check(InboundClass::login, "192.0.2.1", start)) << i;
        }
    }
    EXPECT_LE(limits.entries(), 800);
    EXPECT_GE(limits.entries(), 700);
}

TEST(InboundLimits, threads_together_get_what_one_would) {
    InboundLimits limits({.api_key = {.per_second = 1, .burst = 1000}});
    std::atomic<int> count{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back(
            [&] { count += passed(limits, InboundClass::api_key, "k", start, 1000); });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(count, 1000);
}

}  // namespace
}  // namespace brickgate

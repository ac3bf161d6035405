// SPDX-License-Identifier: Apache-2.0
#include "server/results.h"

#include <gtest/gtest.h>

#include "support/manual_clock.h"
#include "support/seeded_random.h"

namespace brickgate::testing {
namespace {

using namespace std::chrono_literals;

class Results : public ::testing::Test {
 protected:
    std::string keep(std::string const& connection) {
        LoginResult result;
        result.connection = connection;
        return results.keep(std::move(result));
    }
    ManualClock clock;
    SeededRandom random;
    LoginResults results{clock, random};
};

TEST_F(Results, is_shown_as_often_as_asked_for_ten_minutes) {
    auto const id = keep("con_1");
    EXPECT_EQ(id.size(), 22U);  // 16 bytes: nobody guesses it
    clock.pass(10min);
    for (int i = 0; i < 2; ++i) {
        ASSERT_TRUE(results.find(id));
        EXPECT_EQ(results.find(id)->connection, "con_1");
    }
    clock.pass(1ms);
    EXPECT_FALSE(results.find(id));
    EXPECT_FALSE(results.find(""));
}

TEST_F(Results, what_is_over_is_dropped_with_the_next_one) {
    for (int i = 0; i < 100; ++i) {
        keep("early");
    }
    clock.pass(6min);
    auto const late = keep("late");
    clock.pass(5min);
    keep("last");
    EXPECT_EQ(results.size(), 2U);
    EXPECT_TRUE(results.find(late));
}

TEST_F(Results, ten_thousand_are_kept_and_the_oldest_goes_first) {
    auto const first = keep("first");
    auto const second = keep("second");
    for (int i = 0; i < 9'999; ++i) {
        keep("more");
    }
    EXPECT_EQ(results.size(), 10'000U);
    EXPECT_FALSE(results.find(first));
    EXPECT_TRUE(results.find(second));
}

TEST_F(Results, a_clock_that_is_set_back_keeps_nothing_longer) {
    auto const id = keep("con_1");
    clock.set_wall(clock.now() - 1h);
    EXPECT_FALSE(results.find(id));
    keep("con_2");
    EXPECT_EQ(results.size(), 1U);
}

}  // namespace
}  // namespace brickgate::testing

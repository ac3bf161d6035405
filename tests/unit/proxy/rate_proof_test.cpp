// SPDX-License-Identifier: Apache-2.0
// The rate proof: 50 connections call one workspace as fast as they may, simulated, mostly for ten
// minutes. After the first minute the workspace answers no 429, what it serves is within 5 % of its
// limit, and the connections share it evenly.
#include <gtest/gtest.h>

#include "unit/proxy/rate_simulation.h"

namespace brickgate {
namespace {

using namespace std::chrono_literals;
using testing::jain_index;
using testing::RateOutcome;
using testing::RateSimulation;
using testing::RateWorld;

void expect_proof(RateWorld const& world) {
    RateOutcome const outcome = RateSimulation(world).run();
    SCOPED_TRACE(::testing::Message()
                 << "limit " << world.granted << ", others " << world.others << ", fill "
                 << world.server_fill << ", greedy " << world.greedy << ", seed " << world.seed);
    EXPECT_EQ(outcome.refused_after(1min), 0);
    EXPECT_GT(outcome.per_second_after_first_minute(), 0.95 * world.granted);
    EXPECT_LE(outcome.per_second_after_first_minute(), 1.005 * world.granted);
    EXPECT_GT(jain_index(outcome.served), 0.95);
}

RateWorld world(double limit, double others_share, double fill, std::size_t greedy,
                std::uint64_t seed) {
    return {.published = limit,
            .granted = limit,
            .server_burst = limit,
            .server_fill = fill,
            .others = others_share * limit,
            .greedy = greedy,
            .seed = seed};
}

TEST(RateProof, alone_whatever_the_phase) {
    for (double const fill : {0.0, 0.5, 1.0}) {
        expect_proof(world(20, 0, fill, 0, 1));
    }
}

TEST(RateProof, alone_and_with_a_greedy_connection) {
    for (double const limit : {20.0, 100.0}) {
        RateWorld greedy = world(limit, 0, 0, 200, 2);
        greedy.time = 4min;
        expect_proof(greedy);
    }
}

TEST(RateProof, beside_another_client) {
    std::uint64_t seed = 1;
    for (double const others : {0.05, 0.1, 0.2}) {
        for (double const fill : {0.0, 0.5, 1.0}) {
            expect_proof(world(20, others, fill, 0, seed));
            seed += 1;
        }
    }
}

TEST(RateProof, beside_another_client_and_with_a_greedy_connection) {
    for (double const others : {0.05, 0.2}) {
        expect_proof(world(20, others, 0.5, 100, 1));
    }
    RateWorld quick = world(100, 0.2, 0.5, 200, 2);
    quick.time = 4min;
    expect_proof(quick);
}

TEST(RateProof, beside_another_client_whose_calls_come_at_random) {
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
        RateWorld uneven = world(100, 0.1, 0.5, 0, seed);
        uneven.others_evenly = false;
        uneven.time = 4min;
        expect_proof(uneven);
    }
}

// The figure that is published may be wrong, and the server may say how long to wait.
TEST(RateProof, finds_a_limit_that_is_lower_than_published) {
    for (double const granted : {10.0, 16.0}) {
        RateWorld lower = world(granted, 0, 0.5, 0, 1);
        lower.published = 20;
        lower.server_burst = 20;
        lower.retry_after = 1s;
        expect_proof(lower);
    }
}

// Now and then it must try for more, or a limit that is free again would stay unused: a handful of
// calls after ten minutes, then after twenty, forty, sixty.
TEST(RateProof, tries_for_more_seldom) {
    RateWorld long_run = world(20, 0.5, 0.5, 0, 1);
    long_run.time = 1h;
    RateOutcome const outcome = RateSimulation(long_run).run();
    EXPECT_EQ(outcome.refused_after(1min), outcome.refused_after(9min));
    EXPECT_LE(outcome.refused_after(1min), 6);
    EXPECT_GE(outcome.refused_after(1min), 2);
    EXPECT_GT(outcome.per_second_after_first_minute(), 0.95 * 20);
}

// The proof's own instruments.
TEST(RateProof, the_server_does_refuse_and_the_index_does_fall) {
    testing::LimitedServer server(20, 20, 1);
    int served = 0;
    for (int i = 0; i < 100; ++i) {
        served += server.asked(Instant(1s)) ? 1 : 0;
    }
    EXPECT_EQ(served, 20);
    EXPECT_DOUBLE_EQ(jain_index({1, 1, 1, 1}), 1);
    EXPECT_DOUBLE_EQ(jain_index({1, 0, 0, 0}), 0.25);
}

}  // namespace
}  // namespace brickgate

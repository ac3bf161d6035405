// SPDX-License-Identifier: Apache-2.0
#include "proxy/governor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <deque>
#include <thread>

#include "net/task_group.h"
#include "support/simulated_timers.h"
#include "unit/proxy/rate_simulation.h"

namespace brickgate {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

using Outcome = std::optional<Result<Admission>>;

Task<void> keep(Task<Result<Admission>> task, Outcome& out) {
    out.emplace(co_await std::move(task));
}

struct World {
    explicit World(GovernorMode mode = GovernorMode::enforce, Milliseconds queue_max = 30s)
        : governor({.families = RouteFamilies({{.name = "jobs",
                                                .paths = {"/api/*/jobs/**"},
                                                .per_second = 10 / 0.98,
                                                .burst = 1}}),
                    .mode = mode,
                    .queue_max = queue_max},
                   clock, timers, context.get_executor(), metrics) {
        spawn(context.get_executor(), governor.run());
    }
    ~World() {
        governor.stop();
        run(1h);
    }

    void run(Milliseconds time) { timers.run(context, clock.steady() + time); }
    std::optional<Admission> try_admit(std::string_view connection = "c") {
        return governor.try_admit("w", "GET", "/api/2.1/jobs/list", connection);
    }
    Task<Result<Admission>> admit(std::string connection = "c") {
        return governor.admit("w", "GET", "/api/2.1/jobs/list", std::move(connection));
    }
    // What comes of one call that may wait.
    Outcome& ask(std::string connection = "c") {
        spawn(context.get_executor(), keep(admit(std::move(connection)), outcomes.emplace_back()));
        run(0ms);
        return outcomes.back();
    }

    testing::ManualClock clock;
    testing::SimulatedTimers timers{clock};
    boost::asio::io_context context{1};
    Metrics metrics;
    std::deque<Outcome> outcomes;
    Governor governor;
};

TEST(Governor, at_once_while_there_is_room) {
    World world;
    auto const admission = world.try_admit();
    ASSERT_TRUE(admission);
    EXPECT_EQ(admission->workspace, "w");
    EXPECT_EQ(admission->family, "jobs");
    EXPECT_EQ(admission->waited, 0ms);
    EXPECT_FALSE(world.try_admit());
    EXPECT_TRUE(world.governor.try_admit("w", "GET", "/elsewhere", "c"));
    EXPECT_TRUE(world.governor.try_admit("w2", "GET", "/api/2.1/jobs/list", "c"));
}

TEST(Governor, waits_for_its_turn_and_says_how_long) {
    World world;
    world.try_admit();
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(world.ask());
    }
    EXPECT_THAT(world.metrics.text(), HasSubstr("brickgate_rate_waiting 3\n"));
    auto const states = world.governor.snapshot("w");
    ASSERT_EQ(states.size(), 1);
    EXPECT_EQ(states[0].family, "jobs");
    EXPECT_EQ(states[0].waiting, 3);
    EXPECT_NEAR(*states[0].published_per_second, 10 / 0.98, 1e-9);
    EXPECT_NEAR(*states[0].current_per_second, 10, 1e-9);
    EXPECT_EQ(states[0].held_until, std::nullopt);
    world.run(1min);
    for (std::size_t i = 0; i < 3; ++i) {
        ASSERT_TRUE(world.outcomes[i] && *world.outcomes[i]) << i;
        EXPECT_EQ((*world.outcomes[i])->waited, 100ms * (i + 1));
    }
    EXPECT_THAT(world.metrics.text(), HasSubstr("brickgate_rate_waiting 0\n"));
    EXPECT_THAT(world.metrics.text(),
                HasSubstr("brickgate_rate_queued_total{family=\"jobs\"} 3\n"));
}

TEST(Governor, refuses_what_would_come_too_late) {
    World world(GovernorMode::enforce, 1s);
    world.try_admit();
    for (int i = 0; i < 9; ++i) {
        world.ask();
    }
    Outcome const& last_in_time = world.ask();
    Outcome const& late = world.ask();
    ASSERT_TRUE(late && !*late);
    Error const& error = late->error();
    EXPECT_EQ(error.code(), ErrorCode::rate_limited);
    EXPECT_EQ(error.retry_after(), 1s);
    EXPECT_THAT(error.message(), HasSubstr("'jobs'"));
    EXPECT_THAT(world.metrics.text(),
                HasSubstr("brickgate_rate_refused_total{family=\"jobs\"} 1\n"));
    world.run(1min);
    EXPECT_TRUE(last_in_time && *last_in_time);
}

TEST(Governor, a_429_holds_and_those_who_wait_are_told_in_time) {
    World world;
    auto const admission = world.try_admit();
    Outcome const& outcome = world.ask();
    world.governor.observed(*admission, 429, 60s);
    EXPECT_EQ(world.governor.snapshot("w")[0].held_until, world.clock.now() + 60s);
    EXPECT_THAT(world.metrics.text(),
                HasSubstr("brickgate_rate_adapted_total{family=\"jobs\"} 1\n"));
    world.run(29s);
    EXPECT_FALSE(outcome);
    world.run(2s);
    ASSERT_TRUE(outcome && !*outcome);
    EXPECT_EQ(outcome->error().code(), ErrorCode::rate_limited);
    EXPECT_GE(outcome->error().retry_after(), 1s);
    EXPECT_THAT(world.metrics.text(),
                HasSubstr("brickgate_rate_refused_total{family=\"jobs\"} 1\n"));
}

Task<void> cancellable(Task<Result<Admission>> task, bool& ended) {
    try {
        co_await std::move(task);
    } catch (boost::system::system_error const& error) {
        ended = error.code() == boost::asio::error::operation_aborted;
    }
}

TEST(Governor, a_waiter_that_is_cancelled_leaves_the_line) {
    World world;
    world.try_admit();
    bool ended = false;
    boost::asio::cancellation_signal signal;
    boost::asio::co_spawn(world.context, cancellable(world.admit("a"), ended),
                          boost::asio::bind_cancellation_slot(signal.slot(), [](auto) {}));
    Outcome const& outcome = world.ask("b");
    signal.emit(boost::asio::cancellation_type::terminal);
    world.run(1min);
    EXPECT_TRUE(ended);
    ASSERT_TRUE(outcome && *outcome);
    EXPECT_EQ((*outcome)->waited, 100ms);  // as if the first had never been there
}

TEST(Governor, stop_lets_nobody_wait) {
    World world;
    world.try_admit();
    Outcome const& waiting = world.ask();
    world.governor.stop();
    Outcome const& later = world.ask();
    ASSERT_TRUE(waiting && later);
    EXPECT_EQ(waiting->error().code(), ErrorCode::shutting_down);
    EXPECT_EQ(later->error().code(), ErrorCode::shutting_down);
    EXPECT_THAT(world.metrics.text(), HasSubstr("brickgate_rate_waiting 0\n"));
    EXPECT_EQ(task_group_of(world.context.get_executor()).running(), 0);
}

TEST(Governor, report_mode_never_delays_and_counts) {
    World world(GovernorMode::report, 1s);
    int waited = 0;
    int refused = 0;
    Instant const before = world.clock.steady();
    for (int i = 0; i < 100; ++i) {
        auto const admission = world.try_admit();
        ASSERT_TRUE(admission);
        waited += admission->would_have_waited ? 1 : 0;
        refused += admission->would_have_been_refused ? 1 : 0;
        Outcome const& outcome = world.ask();
        ASSERT_TRUE(outcome && *outcome);
    }
    EXPECT_EQ(world.clock.steady(), before);
    EXPECT_GT(waited, 0);
    EXPECT_GT(refused, 80);
    EXPECT_THAT(world.metrics.text(),
                HasSubstr("brickgate_rate_queued_total{family=\"jobs\"} 10\n"));
    EXPECT_THAT(world.metrics.text(),
                HasSubstr("brickgate_rate_refused_total{family=\"jobs\"} 189\n"));
    EXPECT_THAT(world.metrics.text(), HasSubstr("brickgate_rate_waiting 0\n"));
}

// In report mode a 429 of a call that would still have waited says nothing; one of a call that
// would have left says what it always says.
TEST(Governor, report_mode_learns_from_calls_that_would_have_left) {
    World world(GovernorMode::report);
    auto const first = world.try_admit();
    auto const second = world.try_admit();
    ASSERT_TRUE(second->would_have_waited);
    world.governor.observed(*second, 429, 5s);
    EXPECT_THAT(world.metrics.text(),
                HasSubstr("brickgate_rate_adapted_total{family=\"jobs\"} 0\n"));
    world.governor.observed(*first, 429, 5s);
    EXPECT_THAT(world.metrics.text(),
                HasSubstr("brickgate_rate_adapted_total{family=\"jobs\"} 1\n"));
    EXPECT_TRUE(world.try_admit());
}

TEST(Governor, off_is_off) {
    World world(GovernorMode::off);
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(world.try_admit());
    }
    world.governor.observed(*world.try_admit(), 429, 60s);
    EXPECT_TRUE(world.try_admit());
    EXPECT_TRUE(world.governor.snapshot("w").empty());
}

TEST(Governor, modes_by_name) {
    EXPECT_EQ(governor_mode_from("enforce"), GovernorMode::enforce);
    EXPECT_EQ(governor_mode_from("report"), GovernorMode::report);
    EXPECT_EQ(governor_mode_from("off"), GovernorMode::off);
    EXPECT_EQ(governor_mode_from("Off"), std::nullopt);
}

struct Caller {
    std::string name;
    std::uint64_t served = 0;
};

Task<void> call_for_ever(World& world, testing::LimitedServer& server, Caller& caller,
                         std::size_t& refused, Instant end) {
    while (world.clock.steady() < end) {
        auto admission = world.try_admit(caller.name);
        if (!admission) {
            auto waited = co_await world.admit(caller.name);
            if (!waited) {
                co_await world.timers.sleep_for(*waited.error().retry_after());
                continue;
            }
            admission = std::move(*waited);
        }
        co_await world.timers.sleep_for(20ms);
        bool const served = server.asked(world.clock.steady());
        caller.served += served && world.clock.steady() < end ? 1 : 0;
        refused += served ? 0 : 1;
        world.governor.observed(*admission, served ? 200 : 429, std::nullopt);
    }
}

// The rate proof's short form, through coroutines: rate_proof_test has the long one.
TEST(Governor, fifty_connections_share_the_limit_evenly) {
    World world;
    testing::LimitedServer server(10 / 0.98, 10, 1);
    server.asked(world.clock.steady());
    std::vector<Caller> callers(50);
    std::size_t refused = 0;
    Instant const end = world.clock.steady() + 5min;
    for (std::size_t i = 0; i < callers.size(); ++i) {
        callers[i].name = std::to_string(i);
        for (int n = 0; n < (i == 0 ? 100 : 1); ++n) {  // the first is greedy
            spawn(world.context.get_executor(),
                  call_for_ever(world, server, callers[i], refused, end));
        }
    }
    world.run(6min);
    EXPECT_EQ(refused, 0);
    std::vector<double> shares;
    double sum = 0;
    for (Caller const& caller : callers) {
        shares.push_back(static_cast<double>(caller.served));
        sum += shares.back();
    }
    EXPECT_GT(testing::jain_index(shares), 0.95);
    EXPECT_NEAR(sum, 300 * 10, 30);
}

// Real threads: callers on two of them, the pump on a third.
TEST(Governor, threads_neither_lose_nor_double_a_turn) {
    struct RealClock final : Clock {
        Time now() const override { return Time(steady().time_since_epoch()); }
        Instant steady() const override {
            return Instant(std::chrono::duration_cast<Milliseconds>(
                std::chrono::steady_clock::now().time_since_epoch()));
        }
    } clock;
    AsioTimers timers(clock);
    Metrics metrics;
    boost::asio::io_context control{1};
    Governor governor({.families = RouteFamilies({{.name = "other", .per_second = 2000}})}, clock,
                      timers, control.get_executor(), metrics);
    spawn(control.get_executor(), governor.run());
    std::vector<Outcome> outcomes(600);
    auto const half = [&](std::size_t begin) {
        boost::asio::io_context context{1};
        for (std::size_t i = begin; i < begin + 300; ++i) {
            spawn(context.get_executor(),
                  keep(governor.admit("w", "GET", "/", std::to_string(i % 7)), outcomes[i]));
        }
        context.run();
    };
    std::thread pump([&] { control.run(); });
    std::thread one([&] { half(0); });
    std::thread two([&] { half(300); });
    one.join();
    two.join();
    governor.stop();
    pump.join();
    for (auto const& outcome : outcomes) {
        EXPECT_TRUE(outcome && *outcome);
    }
    EXPECT_THAT(metrics.text(), HasSubstr("brickgate_rate_waiting 0\n"));
    EXPECT_THAT(metrics.text(), Not(HasSubstr("refused_total{family=\"other\"} 1")));
}

}  // namespace
}  // namespace brickgate

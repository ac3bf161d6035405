// SPDX-License-Identifier: Apache-2.0
// Refreshes ahead of time, many connections at once: nobody's trouble is everybody's.
#include "tokens/scheduler.h"

#include "unit/tokens/world.h"

namespace brickgate::testing {
namespace {

// What is overdue for a minute or more is spread (D.9), so most of these herds are not.
class Schedule : public RefreshWorld {
 protected:
    // Looks for due connections for so long, once a second.
    void run_for(Milliseconds time) {
        // It outlives what it started.
        auto& scheduler =
            *schedulers.emplace_back(std::make_unique<Scheduler>(running(), *vault, clock, timers));
        timers.start(scheduler.run());
        timers.pass(time);
        scheduler.stop();
        timers.pass(2s);
    }
};

TEST_F(Schedule, what_is_due_is_refreshed_and_nothing_else) {
    auto const due = connect("due", host_a, 20min);
    auto const later = connect("later", host_a, 2h);
    clock.pass(10min + 30s);
    run_for(10s);
    EXPECT_EQ(row_of(due).generation, 2U);
    EXPECT_EQ(row_of(later).generation, 1U);
}

TEST_F(Schedule, a_host_that_refuses_connections_stops_no_other_host) {
    for (int i = 0; i < 40; ++i) {
        connect("dead" + std::to_string(i), host_a, 22min);
    }
    auto const healthy = connect("healthy", host_b, 23min);
    clock.pass(11min + 40s);
    http.answer = [&](auto const& call) {
        return call.url.starts_with(host_a)
                   ? broken(ErrorCode::upstream_unreachable, Sent::not_sent)
                   : http.fresh();
    };
    run_for(60s);
    EXPECT_EQ(row_of(healthy).generation, 2U);
}

TEST_F(Schedule, connections_of_a_registration_that_is_gone_stop_no_other) {
    for (int i = 0; i < 300; ++i) {
        connect("orphan" + std::to_string(i), host_a, 22min, "reg_of_the_old_client_id");
    }
    auto const healthy = connect("healthy", host_a, 23min);
    clock.pass(11min + 40s);
    run_for(30s);
    EXPECT_EQ(row_of(healthy).generation, 2U);
    EXPECT_EQ(http.calls.size(), 1U);
}

TEST_F(Schedule, a_registration_at_fault_stops_no_other) {
    registrations.push_back(registration("reg_2"));
    for (int i = 0; i < 300; ++i) {
        connect("faulty" + std::to_string(i), host_a, 22min);
    }
    auto const healthy = connect("healthy", host_a, 23min, "reg_2");
    clock.pass(11min + 40s);
    http.answer = [&](auto const& call) {
        return call.presented == "refresh-healthy" ? http.fresh() : refused(401, "invalid_client");
    };
    run_for(30s);
    EXPECT_EQ(row_of(healthy).generation, 2U);
}

TEST_F(Schedule, one_slow_host_takes_no_others_place) {
    for (int i = 0; i < 40; ++i) {
        connect("slow" + std::to_string(i), host_a, 20min);
    }
    std::vector<Connection> others;
    for (int i = 0; i < 20; ++i) {
        others.push_back(connect("other" + std::to_string(i), host_b, 21min));
    }
    clock.pass(10min + 45s);
    http.latency = [](auto const& call) { return call.url.starts_with(host_a) ? 20s : 100ms; };
    run_for(8s);
    for (auto const& row : others) {
        EXPECT_EQ(row_of(row).generation, 2U) << row.subject;
    }
    EXPECT_LE(http.calls_to(host_a), 2U) << "a quarter of eight places";
}

TEST_F(Schedule, callers_of_another_host_do_not_wait_behind_a_slow_one) {
    running();
    for (int i = 0; i < 40; ++i) {
        auto const row = connect("slow" + std::to_string(i), host_a, 20min);
        timers.start(refresh_later(row.id, 1));
    }
    http.latency = [](auto const& call) { return call.url.starts_with(host_a) ? 20s : 100ms; };
    auto const row = connect("other", host_b);
    timers.start(refresh_later(row.id, 1));
    timers.pass(1s);
    EXPECT_EQ(row_of(row).generation, 2U);
}

TEST_F(Schedule, D9_a_herd_is_led_through_at_the_rate_of_its_host) {
    for (int i = 0; i < 100; ++i) {
        connect("a" + std::to_string(i), host_a, 20min);
    }
    clock.pass(10min + 30s);
    run_for(30s);
    EXPECT_EQ(http.calls.size(), 100U);
    for (auto const& first : http.calls) {
        auto const within = std::ranges::count_if(http.calls, [&](auto const& call) {
            return call.at >= first.at && call.at < first.at + 1s;
        });
        EXPECT_LE(within, 10) << "the rate of a second, and what a second may save up";
    }
}

TEST_F(Schedule, D9_what_an_outage_left_overdue_is_spread_over_half_of_the_life_left) {
    for (int i = 0; i < 60; ++i) {
        connect("a" + std::to_string(i), host_a, 40min);
    }
    clock.pass(28min);  // nobody ran for 8 minutes; 12 are left
    auto const start_at = clock.now();
    run_for(6min);
    EXPECT_EQ(http.calls.size(), 60U);
    EXPECT_LE(http.calls.back().at, start_at + 6min);
    auto const at_first = std::ranges::count_if(
        http.calls, [&](auto const& call) { return call.at < start_at + 1min; });
    EXPECT_LE(at_first, 20) << "not all at once";
}

TEST_F(Schedule, D9_when_a_host_is_back_its_backlog_is_spread) {
    std::vector<Connection> rows;
    for (int i = 0; i < 30; ++i) {
        rows.push_back(connect("a" + std::to_string(i), host_a, 40min));
    }
    clock.pass(20min);
    http.answer = [](auto const&) {
        return broken(ErrorCode::upstream_unreachable, Sent::not_sent);
    };
    run_for(8min);
    auto const tried = http.calls.size();
    EXPECT_LT(tried, 50U) << "the breaker held them back";
    http.answer = nullptr;
    run_for(11min);
    for (auto const& row : rows) {
        EXPECT_EQ(row_of(row).generation, 2U) << row.subject;
    }
    auto const back_at = http.calls[tried].at;
    auto const at_first = std::ranges::count_if(http.calls, [&](auto const& call) {
        return call.at >= back_at && call.at < back_at + 30s;
    });
    EXPECT_LT(at_first, 15) << "not all at once";
}

TEST_F(Schedule, a_herd_of_one_host_does_not_fill_the_scan) {
    for (int i = 0; i < 250; ++i) {
        connect("herd" + std::to_string(i), host_a, 20min);
    }
    auto const other = connect("other", host_b, 21min);
    clock.pass(10min + 50s);
    run_for(2s);
    EXPECT_EQ(row_of(other).generation, 2U);
}

TEST_F(Schedule, D9_the_shortest_life_goes_first) {
    connect("long", host_a, 4h);
    connect("short", host_a, 2h);
    connect("middle", host_a, 3h);
    clock.pass(1h + 59min);
    http.latency = [](auto const&) { return 10s; };
    for (auto& [id, row] : store.rows().connections) {
        row.refresh_due_at = clock.now();
    }
    run_for(15s);
    ASSERT_GE(http.calls.size(), 3U);
    EXPECT_EQ(http.calls.front().presented, "refresh-short");
}

}  // namespace
}  // namespace brickgate::testing

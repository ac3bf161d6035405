// SPDX-License-Identifier: Apache-2.0
// Refreshes ahead of time, many connections at once: nobody's trouble is everybody's.
#include "tokens/scheduler.h"

#include "unit/tokens/world.h"

namespace brickgate::testing {
namespace {

class Schedule : public RefreshWorld {
 protected:
    // Looks for due connections for so long, once a second.
    void run_for(Milliseconds time) {
        Scheduler scheduler(running(), *vault, clock, timers, concurrency);
        timers.start(scheduler.run());
        timers.pass(time);
        scheduler.stop();
        timers.pass(2s);
    }
};

TEST_F(Schedule, what_is_due_is_refreshed_and_nothing_else) {
    auto const due = connect("due", host_a, 20min);
    auto const later = connect("later", host_a, 2h);
    clock.pass(11min);
    run_for(10s);
    EXPECT_EQ(row_of(due).generation, 2U);
    EXPECT_EQ(row_of(later).generation, 1U);
}

TEST_F(Schedule, a_host_that_refuses_connections_stops_no_other_host) {
    for (int i = 0; i < 40; ++i) {
        connect("dead" + std::to_string(i), host_a, 20min);
    }
    auto const healthy = connect("healthy", host_b, 22min);
    clock.pass(15min);
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
        connect("orphan" + std::to_string(i), host_a, 20min, "reg_of_the_old_client_id");
    }
    auto const healthy = connect("healthy", host_a, 22min);
    clock.pass(15min);
    run_for(30s);
    EXPECT_EQ(row_of(healthy).generation, 2U);
    EXPECT_EQ(http.calls.size(), 1U);
}

TEST_F(Schedule, a_registration_at_fault_stops_no_other) {
    registrations.push_back(registration("reg_2"));
    for (int i = 0; i < 300; ++i) {
        connect("faulty" + std::to_string(i), host_a, 20min);
    }
    auto const healthy = connect("healthy", host_a, 22min, "reg_2");
    clock.pass(15min);
    http.answer = [&](auto const& call) {
        return call.presented == "refresh-healthy" ? http.fresh() : refused(401, "invalid_client");
    };
    run_for(30s);
    EXPECT_EQ(row_of(healthy).generation, 2U);
}

}  // namespace
}  // namespace brickgate::testing

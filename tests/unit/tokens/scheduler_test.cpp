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

}  // namespace
}  // namespace brickgate::testing

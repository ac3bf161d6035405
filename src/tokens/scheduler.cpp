// SPDX-License-Identifier: Apache-2.0
#include "tokens/scheduler.h"

#include "base/log.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds tick_every =
    1s;  // one indexed query a second is nothing; tokens of 5 minutes need it
constexpr std::size_t scan_max = 100;

}  // namespace

Scheduler::Scheduler(Refresher& refresher, Vault& vault, Clock& clock, Timers& timers,
                     std::size_t in_flight_max)
    : refresher_(refresher),
      vault_(vault),
      clock_(clock),
      timers_(timers),
      in_flight_max_(in_flight_max) {}

Task<void> Scheduler::run() {
    bool store_was_down = false;
    while (!stopping_) {
        auto const started = co_await tick();
        if (!started && !store_was_down) {
            log(LogLevel::error, "scheduler_blind",
                "Due refreshes cannot be looked up; trying again each second.",
                {{"reason", started.error().name()}});
        }
        store_was_down = !started;
        co_await timers_.sleep_for(tick_every);
    }
}

Task<Result<std::size_t>> Scheduler::tick() {
    if (in_flight_.size() >= in_flight_max_) {
        co_return std::size_t{0};
    }
    std::vector<Connection> due;
    auto const query = refresher_.admissible(clock_.now(), scan_max + in_flight_.size());
    StoreJob const look = [&query, &due](StoreTransaction& store) -> Result<void> {
        auto rows = store.due_connections(query);
        if (!rows) {
            return fail(rows.error());
        }
        due = std::move(*rows);
        return {};
    };
    auto const looked = co_await vault_.transact(look);
    if (!looked) {
        co_return fail(looked.error());
    }
    auto const executor = co_await boost::asio::this_coro::executor;
    std::size_t started = 0;
    for (auto const& row : due) {
        if (in_flight_.size() >= in_flight_max_) {
            break;
        }
        if (!in_flight_.insert(row.id).second) {
            continue;
        }
        spawn(executor, refresh_one(row.id, row.generation));
        started += 1;
    }
    co_return started;
}

Task<void> Scheduler::refresh_one(ConnectionId id, std::uint64_t generation) {
    auto const outcome = co_await refresher_.refresh(id, generation);
    in_flight_.erase(id);
    if (outcome) {
        log(LogLevel::debug, "refreshed", "A token was refreshed ahead of time.",
            {{"connection", id.value()}, {"generation", outcome->generation}});
    }
}

}  // namespace brickgate

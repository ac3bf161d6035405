// SPDX-License-Identifier: Apache-2.0
#include "tokens/scheduler.h"

#include "base/log.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds tick_every =
    1s;  // one indexed query a second is nothing; tokens of 5 minutes need it
constexpr std::size_t scan_max = 100;
constexpr Milliseconds overdue_after = 1min;      // what is younger comes within the rate anyway
constexpr Milliseconds spread_over_most = 10min;  // D.9

}  // namespace

Scheduler::Scheduler(Refresher& refresher, Vault& vault, Clock& clock, Timers& timers)
    : refresher_(refresher), vault_(vault), clock_(clock), timers_(timers) {}

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

// Best effort: what is not spread is still led through at the rate.
Task<void> Scheduler::spread_overdue() {
    Time const now = clock_.now();
    std::size_t moved = 0;
    for (auto& outage : refresher_.take_ended_outages()) {
        Spread const spread{now, now - overdue_after, spread_over_most, std::move(outage.host),
                            std::move(outage.registration)};
        StoreJob const job = [&spread, &moved](StoreTransaction& store) -> Result<void> {
            auto const done = store.spread_overdue(spread);
            moved += done.value_or(0);
            return {};
        };
        (void)co_await vault_.transact(job);
    }
    if (moved > 0) {
        log(LogLevel::info, "refreshes_spread",
            "An outage is over; what is overdue is refreshed little by little.",
            {{"connections", moved}});
    }
}

Task<Result<std::size_t>> Scheduler::tick() {
    co_await spread_overdue();
    auto const& rates = refresher_.rates();
    if (in_flight_.size() >= rates.all) {
        co_return std::size_t{0};
    }
    std::vector<Connection> due;
    auto query = refresher_.admissible(clock_.now(), scan_max + in_flight_.size());
    for (auto const& [host, count] : in_flight_at_) {
        if (count >= rates.per_host) {
            query.but_workspaces.push_back(host);
        }
    }
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
        if (in_flight_.size() >= rates.all) {
            break;
        }
        auto& at_host = in_flight_at_[row.workspace];
        if (at_host >= rates.per_host || !in_flight_.insert(row.id).second) {
            continue;
        }
        at_host += 1;
        spawn(executor, refresh_one(row.id, row.generation, row.workspace));
        started += 1;
    }
    co_return started;
}

Task<void> Scheduler::refresh_one(ConnectionId id, std::uint64_t generation, std::string host) {
    auto const outcome = co_await refresher_.refresh(id, generation);
    in_flight_.erase(id);
    if (auto const at_host = in_flight_at_.find(host); --at_host->second == 0) {
        in_flight_at_.erase(at_host);
    }
    if (outcome) {
        log(LogLevel::debug, "refreshed", "A token was refreshed ahead of time.",
            {{"connection", id.value()}, {"generation", outcome->generation}});
    }
}

}  // namespace brickgate

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
    auto const executor = co_await boost::asio::this_coro::executor;
    auto query = refresher_.admissible(clock_.now(), 0);
    std::size_t const closed = query.but_workspaces.size();
    std::size_t started = 0;
    // A host that has its share makes room for those behind it: a herd of one host must not fill
    // the scan. Each round leaves out one host more at least.
    for (std::size_t left_out = 0;; left_out = query.but_workspaces.size()) {
        query.but_workspaces.resize(closed);
        for (auto const& [host, count] : in_flight_at_) {
            if (count >= refresher_.rates().per_host) {
                query.but_workspaces.push_back(host);
            }
        }
        bool const full = in_flight_.size() >= refresher_.rates().all;
        if (full || (started > 0 && query.but_workspaces.size() <= left_out)) {
            co_return started;
        }
        query.limit = scan_max + in_flight_.size();
        auto const due = co_await look(query);
        if (!due) {
            co_return fail(due.error());
        }
        std::size_t const now_started = start(executor, *due);
        started += now_started;
        if (due->size() < query.limit || now_started == 0) {
            co_return started;
        }
    }
}

Task<Result<std::vector<Connection>>> Scheduler::look(DueQuery query) {
    std::vector<Connection> due;
    StoreJob const job = [&query, &due](StoreTransaction& store) -> Result<void> {
        auto rows = store.due_connections(query);
        if (!rows) {
            return fail(rows.error());
        }
        due = std::move(*rows);
        return {};
    };
    auto const looked = co_await vault_.transact(job);
    if (!looked) {
        co_return fail(looked.error());
    }
    co_return due;
}

std::size_t Scheduler::start(Executor executor, std::vector<Connection> const& due) {
    auto const& rates = refresher_.rates();
    std::size_t started = 0;
    for (auto const& row : due) {
        if (in_flight_.size() >= rates.all) {
            break;
        }
        auto const at_host = in_flight_at_.find(row.workspace);
        bool const busy = at_host != in_flight_at_.end() && at_host->second >= rates.per_host;
        if (busy || !in_flight_.insert(row.id).second) {
            continue;
        }
        in_flight_at_[row.workspace] += 1;
        spawn(executor, refresh_one(row.id, row.generation, row.workspace));
        started += 1;
    }
    return started;
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

// SPDX-License-Identifier: Apache-2.0
#include "tokens/token_watch.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace brickgate {

namespace {

// A place is free again when a poll ends, which is soon.
constexpr Seconds wait_for_a_place{5};

}  // namespace

struct TokenWatch::Waiter {
    Waiter(ConnectionId of, Executor home, std::string held_by)
        : id(std::move(of)),
          holder(std::move(held_by)),
          gate(home, SteadyTimer::time_point::max()) {}
    static void open(std::shared_ptr<Waiter> const& waiter) {
        boost::asio::post(waiter->gate.get_executor(), [waiter] {
            waiter->opened = true;
            waiter->gate.cancel();
        });
    }

    ConnectionId id;
    std::string holder;
    // Touched on its own executor alone. Never expires; cancelled when there is news, which may
    // have been taken already when that comes about.
    SteadyTimer gate;
    bool opened = false;
    std::optional<Woken> news;  // under the lock
};

struct TokenWatch::State {
    State(std::size_t most, Timers& the_timers) : watchers_max(most), timers(the_timers) {}

    std::optional<Woken> news_of(Waiter& waiter) {
        std::scoped_lock const lock(mutex);
        return waiter.news;
    }
    std::optional<Woken> take_news(Waiter& waiter) {
        std::scoped_lock const lock(mutex);
        auto const stays = waiter.news == Woken::left ? waiter.news : std::nullopt;
        return std::exchange(waiter.news, stopping ? std::optional(Woken::stopping) : stays);
    }
    // Under the lock.
    bool has_place_for(std::string const& holder) const {
        auto const held = holder.empty() ? of_holder.end() : of_holder.find(holder);
        std::size_t const share = (watchers_max + 1) / 2;
        return waiters.size() < watchers_max && (held == of_holder.end() || held->second < share);
    }
    void forget_one_of(std::string const& holder) {
        auto const held = of_holder.find(holder);
        if (held != of_holder.end() && --held->second == 0) {
            of_holder.erase(held);
        }
    }

    std::size_t const watchers_max;
    Timers& timers;
    mutable std::mutex mutex;
    std::unordered_multimap<ConnectionId, std::shared_ptr<Waiter>> waiters;
    std::unordered_map<std::string, std::size_t> of_holder;
    bool stopping = false;
};

TokenWatch::TokenWatch(std::size_t watchers_max, Timers& timers)
    : state_(std::make_shared<State>(watchers_max, timers)) {}

Result<TokenWatch::Watcher> TokenWatch::watch(ConnectionId id, Executor home, std::string holder) {
    auto waiter = std::make_shared<Waiter>(std::move(id), home, std::move(holder));
    std::scoped_lock const lock(state_->mutex);
    if (state_->stopping) {
        return fail(Error(ErrorCode::shutting_down, "The gateway is stopping.")
                        .with_retry_after(Seconds(1)));
    }
    if (!state_->has_place_for(waiter->holder)) {
        return fail(Error(ErrorCode::overloaded, "Too many callers wait for a token already.")
                        .with_retry_after(wait_for_a_place));
    }
    state_->waiters.emplace(waiter->id, waiter);
    if (!waiter->holder.empty()) {
        state_->of_holder[waiter->holder] += 1;
    }
    return Watcher(state_, std::move(waiter));
}

void TokenWatch::changed(ConnectionId const& id) {
    std::vector<std::shared_ptr<Waiter>> woken;
    {
        std::scoped_lock const lock(state_->mutex);
        auto const [begin, end] = state_->waiters.equal_range(id);
        for (auto at = begin; at != end; ++at) {
            auto const& waiter = at->second;
            if (!waiter->news) {
                waiter->news = Woken::changed;
                woken.push_back(waiter);
            }
        }
    }
    for (auto const& waiter : woken) {
        Waiter::open(waiter);
    }
}

void TokenWatch::stop() {
    std::vector<std::shared_ptr<Waiter>> woken;
    {
        std::scoped_lock const lock(state_->mutex);
        state_->stopping = true;
        for (auto const& [id, waiter] : state_->waiters) {
            waiter->news = Woken::stopping;
            woken.push_back(waiter);
        }
    }
    for (auto const& waiter : woken) {
        Waiter::open(waiter);
    }
}

std::size_t TokenWatch::watchers() const {
    std::scoped_lock const lock(state_->mutex);
    return state_->waiters.size();
}

TokenWatch::Watcher::Watcher(std::shared_ptr<State> state, std::shared_ptr<Waiter> waiter)
    : state_(std::move(state)), waiter_(std::move(waiter)) {}

TokenWatch::Watcher::~Watcher() {
    if (!waiter_) {
        return;
    }
    std::scoped_lock const lock(state_->mutex);
    auto const [begin, end] = state_->waiters.equal_range(waiter_->id);
    for (auto at = begin; at != end; ++at) {
        if (at->second == waiter_) {
            state_->waiters.erase(at);
            state_->forget_one_of(waiter_->holder);
            return;
        }
    }
}

void TokenWatch::Watcher::leave() {
    {
        std::scoped_lock const lock(state_->mutex);
        waiter_->news = Woken::left;
    }
    Waiter::open(waiter_);
}

Task<TokenWatch::Woken> TokenWatch::Watcher::wait(Milliseconds limit) {
    if (auto const news = state_->take_news(*waiter_)) {
        co_return *news;
    }
    auto const gate = [](std::shared_ptr<State> state,
                         std::shared_ptr<Waiter> waiter) -> Task<void> {
        // What comes after this look finds the gate closed, and opens it.
        while (!state->news_of(*waiter)) {
            waiter->opened = false;
            boost::system::error_code ignored;
            co_await waiter->gate.async_wait(boost::asio::redirect_error(use_task, ignored));
            if (!waiter->opened) {
                throw boost::system::system_error(boost::asio::error::operation_aborted);
            }
        }
    };
    auto task = gate(state_, waiter_);
    (void)co_await with_timeout(std::move(task), limit, state_->timers);
    co_return state_->take_news(*waiter_).value_or(Woken::time_up);
}

}  // namespace brickgate

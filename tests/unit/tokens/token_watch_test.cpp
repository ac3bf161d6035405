// SPDX-License-Identifier: Apache-2.0
// Who waits is told once, by whatever thread, and leaves nothing behind.
#include "tokens/token_watch.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <thread>
#include <vector>

#include "base/random.h"
#include "support/manual_clock.h"
#include "support/run_task.h"
#include "support/seeded_random.h"
#include "support/virtual_timers.h"
#include "tokens/token_cache.h"

namespace brickgate::testing {
namespace {

using namespace std::chrono_literals;
using Woken = TokenWatch::Woken;

ConnectionId id(std::string name) {
    return ConnectionId("con_" + std::move(name));
}

Task<void> keep_waiting(TokenWatch::Watcher watcher, Milliseconds limit, std::vector<Woken>& out) {
    out.push_back(co_await watcher.wait(limit));
}

class TokenWatchTest : public ::testing::Test {
 protected:
    ~TokenWatchTest() override { timers.abandon(); }
    TokenWatch::Watcher watcher(std::string name = "a") {
        return std::move(*watch.watch(id(std::move(name)), context.get_executor()));
    }
    void start(TokenWatch::Watcher one, Milliseconds limit = 60s) {
        timers.start(keep_waiting(std::move(one), limit, woken));
    }

    boost::asio::io_context context{1};
    ManualClock clock;
    VirtualTimers timers{context, clock};
    TokenWatch watch{3, timers};
    std::vector<Woken> woken;
};

TEST_F(TokenWatchTest, a_change_wakes_those_of_its_connection_alone) {
    start(watcher("a"));
    start(watcher("a"));
    start(watcher("b"));
    watch.changed(id("a"));
    watch.changed(id("c"));
    timers.pass(0ms);
    EXPECT_EQ(woken, (std::vector{Woken::changed, Woken::changed}));
    EXPECT_EQ(watch.watchers(), 1U);
}

TEST_F(TokenWatchTest, the_time_is_up_when_nothing_happens) {
    start(watcher(), 60s);
    timers.pass(59s);
    EXPECT_TRUE(woken.empty());
    timers.pass(1s);
    EXPECT_EQ(woken, std::vector{Woken::time_up});
    EXPECT_EQ(watch.watchers(), 0U);
}

TEST_F(TokenWatchTest, what_happened_before_the_wait_counts_at_once_and_once) {
    auto one = watcher();
    watch.changed(id("a"));
    watch.changed(id("a"));
    EXPECT_EQ(timers.run(one.wait(60s)), Woken::changed);
    EXPECT_EQ(timers.run(one.wait(60s)), Woken::time_up);
}

TEST_F(TokenWatchTest, no_more_than_may_wait) {
    std::vector<TokenWatch::Watcher> held;
    for (int i = 0; i < 3; ++i) {
        held.push_back(watcher());
    }
    auto const refused = watch.watch(id("a"), context.get_executor());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::overloaded);
    EXPECT_TRUE(refused.error().retry_after());
    held.pop_back();
    EXPECT_TRUE(watch.watch(id("a"), context.get_executor()));
}

TEST_F(TokenWatchTest, one_key_leaves_places_for_the_others) {
    auto const place = [&](std::string holder) {
        return watch.watch(id("a"), context.get_executor(), std::move(holder));
    };
    auto first = place("k1");
    auto second = place("k1");
    ASSERT_TRUE(first && second);
    auto const refused = place("k1");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::overloaded);
    {
        auto const another = place("k2");
        EXPECT_TRUE(another);
    }
    {
        auto const gone = std::move(*first);
    }
    EXPECT_TRUE(place("k1"));
}

TEST_F(TokenWatchTest, who_has_left_is_not_waited_for) {
    auto one = watcher();
    one.leave();
    EXPECT_EQ(timers.run(one.wait(60s)), Woken::left);
    watch.changed(id("a"));
    EXPECT_EQ(timers.run(one.wait(60s)), Woken::left) << "and comes back no more";
}

TEST_F(TokenWatchTest, a_stop_wakes_everybody_and_takes_nobody) {
    auto late = watcher("c");
    start(watcher("a"));
    start(watcher("b"));
    watch.stop();
    timers.pass(0ms);
    EXPECT_EQ(woken, (std::vector{Woken::stopping, Woken::stopping}));
    EXPECT_EQ(timers.run(late.wait(60s)), Woken::stopping);
    EXPECT_EQ(timers.run(late.wait(60s)), Woken::stopping) << "it stays so";
    auto const refused = watch.watch(id("a"), context.get_executor());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::shutting_down);
}

// The gate is opened a moment after the news, which may be known by then.
TEST_F(TokenWatchTest, news_that_was_taken_already_does_not_cut_the_next_wait_short) {
    auto const twice = [](TokenWatch& where, TokenWatch::Watcher one,
                          ManualClock& time) -> Task<Milliseconds> {
        where.changed(id("a"));
        auto const first = co_await one.wait(60s);
        EXPECT_EQ(first, Woken::changed);
        Instant const before = time.steady();
        auto const second = co_await one.wait(60s);
        EXPECT_EQ(second, Woken::time_up);
        co_return time.steady() - before;
    };
    EXPECT_EQ(timers.run(twice(watch, watcher(), clock)), 60s);
}

TEST_F(TokenWatchTest, a_cancelled_wait_leaves_nothing) {
    boost::asio::cancellation_signal gone;
    std::exception_ptr thrown;
    boost::asio::co_spawn(context, keep_waiting(watcher(), 60s, woken),
                          boost::asio::bind_cancellation_slot(
                              gone.slot(), [&](std::exception_ptr e) { thrown = e; }));
    timers.pass(1s);
    EXPECT_EQ(watch.watchers(), 1U);
    gone.emit(boost::asio::cancellation_type::terminal);
    timers.pass(0ms);
    EXPECT_EQ(watch.watchers(), 0U);
    EXPECT_TRUE(woken.empty());
    EXPECT_TRUE(thrown) << "its caller knows";
    watch.changed(id("a"));
}

TEST_F(TokenWatchTest, a_watcher_may_outlive_its_watch) {
    auto short_lived = std::make_unique<TokenWatch>(3, timers);
    auto one = std::move(*short_lived->watch(id("a"), context.get_executor()));
    short_lived->stop();
    short_lived.reset();
    EXPECT_EQ(timers.run(one.wait(60s)), Woken::stopping);
}

// One that is woken at the very moment it begins to wait must not sleep on.
TEST(TokenWatchThreads, changes_on_one_thread_reach_waiters_on_others) {
    ManualClock const clock;  // sleeps are real here, and never reached
    AsioTimers timers(clock);
    TokenWatch watch(100, timers);
    constexpr int rounds = 300;
    constexpr int waiters = 2;
    std::atomic<int> heard{0};
    std::vector<std::unique_ptr<boost::asio::io_context>> contexts;
    std::vector<std::thread> threads;
    auto const listen = [](TokenWatch& where, std::atomic<int>& count) -> Task<void> {
        auto const home = co_await boost::asio::this_coro::executor;
        for (int round = 0; round < rounds; ++round) {
            auto one = std::move(*where.watch(id("a"), home));
            if (co_await one.wait(1h) == Woken::changed) {
                ++count;
            }
        }
    };
    for (int i = 0; i < waiters; ++i) {
        contexts.push_back(std::make_unique<boost::asio::io_context>(1));
        boost::asio::co_spawn(*contexts.back(), listen(watch, heard), boost::asio::detached);
        threads.emplace_back([&context = *contexts.back()] { context.run(); });
    }
    while (heard < rounds * waiters) {
        watch.changed(id("a"));
        std::this_thread::yield();
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(heard, rounds * waiters);
    EXPECT_EQ(watch.watchers(), 0U);
}

// What the cache calls a change: another token, and every end.
TEST(TokenCacheChanges, are_another_token_and_every_end) {
    SeededRandom random;
    TokenCache cache(random, RefreshPolicy{});
    std::vector<std::string> told;
    cache.on_change([&](ConnectionId const& changed) { told.push_back(changed.value()); });
    auto const put = [&](std::uint64_t family, std::uint64_t generation) {
        CachedToken token;
        token.family = family;
        token.generation = generation;
        told.clear();
        cache.put(id("a"), token, Secret::copy_of("x"));
        return told.size();
    };
    EXPECT_EQ(put(1, 1), 1U);
    EXPECT_EQ(put(1, 1), 0U) << "the same again";
    EXPECT_EQ(put(1, 2), 1U);
    EXPECT_EQ(put(1, 1), 0U) << "an older one";
    EXPECT_EQ(put(2, 1), 1U) << "another family";
    told.clear();
    cache.forget(id("a"));
    EXPECT_EQ(told, std::vector<std::string>{"con_a"});
    told.clear();
    cache.end(id("b"), 1);
    EXPECT_EQ(told, std::vector<std::string>{"con_b"}) << "even of what is not in memory";
    told.clear();
    cache.end(id("a"), 2);
    told.clear();
    EXPECT_EQ(put(2, 9), 0U) << "ended";
}

}  // namespace
}  // namespace brickgate::testing

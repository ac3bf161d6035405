// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <stdexcept>
#include <thread>

#include "net/runtime.h"
#include "net/single_flight.h"
#include "net/system_ports.h"
#include "net/timers.h"
#include "net/worker_thread.h"
#include "support/run_task.h"

namespace brickgate {
namespace {

using testing::run_task;

SystemClock const clock_;
AsioTimers timers_(clock_);

Task<int> answer_after(Milliseconds time, int value) {
    co_await timers_.sleep_for(time);
    co_return value;
}

Task<int> answer_now(int value) {
    co_return value;
}

Task<int> throw_now() {
    throw std::runtime_error("broken");
    co_return 0;
}

Task<void> note_the_end(bool& ended) {
    struct AtEnd {
        bool& flag;
        ~AtEnd() { flag = true; }
    } const at_end{ended};
    co_await timers_.sleep_for(std::chrono::hours(1));
}

TEST(WithTimeout, gives_what_came_in_time) {
    EXPECT_EQ(run_task(with_timeout(answer_now(7), std::chrono::hours(1), timers_)), 7);
}

TEST(WithTimeout, gives_nothing_when_the_time_is_up) {
    auto late = with_timeout(answer_after(std::chrono::hours(1), 7), Milliseconds(5), timers_);
    EXPECT_EQ(run_task(std::move(late)), std::nullopt);
}

TEST(WithTimeout, passes_on_what_the_task_throws_without_waiting_for_the_time) {
    EXPECT_THROW(run_task(with_timeout(throw_now(), std::chrono::hours(1), timers_)),
                 std::runtime_error);
}

Task<bool> loser_has_ended() {
    bool ended = false;
    bool const in_time = co_await with_timeout(note_the_end(ended), Milliseconds(5), timers_);
    co_return !in_time && ended;
}

TEST(WithTimeout, waits_until_the_loser_has_ended) {
    EXPECT_TRUE(run_task(loser_has_ended()));
}

TEST(WithTimeout, a_cancelled_caller_is_not_told_that_time_was_up) {
    boost::asio::io_context context(1);
    boost::asio::cancellation_signal cancel;
    std::exception_ptr thrown;
    auto wait =
        with_timeout(answer_after(std::chrono::hours(1), 7), std::chrono::hours(1), timers_);
    boost::asio::co_spawn(
        context, std::move(wait),
        boost::asio::bind_cancellation_slot(
            cancel.slot(), [&](std::exception_ptr e, std::optional<int>) { thrown = e; }));
    boost::asio::post(context, [&] {
        boost::asio::post(context, [&] { cancel.emit(boost::asio::cancellation_type::terminal); });
    });
    context.run();
    EXPECT_THROW(std::rethrow_exception(thrown), boost::system::system_error);
}

Task<int> give_up_late() {
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    co_await timers_.sleep_for(Milliseconds(20));
    throw boost::system::system_error(boost::asio::error::operation_aborted);
}

TEST(WithTimeout, a_cancelled_caller_is_not_told_that_time_was_up_by_a_task_that_ends_late_either) {
    boost::asio::io_context context(1);
    boost::asio::cancellation_signal cancel;
    std::exception_ptr thrown;
    boost::asio::co_spawn(
        context, with_timeout(give_up_late(), std::chrono::hours(1), timers_),
        boost::asio::bind_cancellation_slot(
            cancel.slot(), [&](std::exception_ptr e, std::optional<int>) { thrown = e; }));
    SteadyTimer leave(context.get_executor(), Milliseconds(5));
    leave.async_wait([&](auto) { cancel.emit(boost::asio::cancellation_type::terminal); });
    context.run();
    ASSERT_TRUE(thrown);
    EXPECT_THROW(std::rethrow_exception(thrown), boost::system::system_error);
}

// --- SingleFlight

Task<void> join_and_count(SingleFlight<std::string, int>& flights,
                          SingleFlight<std::string, int>::Work work, int& sum) {
    sum += co_await flights.join("key", work);
}

TEST(SingleFlight, a_thousand_callers_share_one_piece_of_work) {
    boost::asio::io_context context(1);
    SingleFlight<std::string, int> flights;
    int calls = 0;
    int sum = 0;
    auto const work = [&calls] {
        ++calls;
        return answer_after(Milliseconds(10), 1);
    };
    for (int i = 0; i < 1000; ++i) {
        boost::asio::co_spawn(context, join_and_count(flights, work, sum), boost::asio::detached);
    }
    context.run();
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(sum, 1000);
    EXPECT_EQ(flights.in_the_air(), 0U);
}

TEST(SingleFlight, a_caller_that_leaves_cancels_nothing) {
    boost::asio::io_context context(1);
    SingleFlight<std::string, int> flights;
    boost::asio::cancellation_signal cancel;
    int calls = 0;
    int sum = 0;
    bool first_left = false;
    auto const work = [&calls] {
        ++calls;
        return answer_after(Milliseconds(30), 1);
    };
    boost::asio::co_spawn(
        context, join_and_count(flights, work, sum),
        boost::asio::bind_cancellation_slot(
            cancel.slot(), [&](std::exception_ptr e) { first_left = e != nullptr; }));
    boost::asio::co_spawn(context, join_and_count(flights, work, sum), boost::asio::detached);
    SteadyTimer leave(context.get_executor(), Milliseconds(5));
    leave.async_wait([&](auto) { cancel.emit(boost::asio::cancellation_type::terminal); });
    context.run();
    EXPECT_TRUE(first_left);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(sum, 1);
}

TEST(SingleFlight, the_next_caller_after_the_landing_starts_anew_and_a_failure_reaches_everybody) {
    boost::asio::io_context context(1);
    SingleFlight<std::string, int> flights;
    EXPECT_THROW(run_task(context, flights.join("key", throw_now)), std::runtime_error);
    EXPECT_EQ(run_task(context, flights.join("key", [] { return answer_now(5); })), 5);
}

// --- TaskGroup

Task<void> sleep_then_set(Milliseconds time, bool& done) {
    co_await timers_.sleep_for(time);
    done = true;
}

Task<bool> drain_sees_the_end() {
    Executor const executor = co_await boost::asio::this_coro::executor;
    bool done = false;
    spawn(executor, sleep_then_set(Milliseconds(20), done));
    co_await task_group_of(executor).drained();
    co_return done;
}

TEST(TaskGroup, drained_waits_for_what_was_spawned) {
    EXPECT_TRUE(run_task(drain_sees_the_end()));
}

Task<std::size_t> left_after_a_throw() {
    Executor const executor = co_await boost::asio::this_coro::executor;
    auto const fall = []() -> Task<void> {
        throw std::runtime_error("broken");
        co_return;
    };
    spawn(executor, fall());
    co_await task_group_of(executor).drained();
    co_return task_group_of(executor).running();
}

TEST(TaskGroup, a_task_that_throws_is_counted_out) {
    EXPECT_EQ(run_task(left_after_a_throw()), 0U);
}

// --- WorkerThread

Task<bool> runs_elsewhere_and_comes_back(WorkerThread& worker) {
    auto const home = std::this_thread::get_id();
    auto job = []() -> Result<std::thread::id> { return std::this_thread::get_id(); };
    auto const there = co_await worker.run(job);
    co_return there.has_value() && *there != home&& std::this_thread::get_id() == home;
}

TEST(WorkerThread, runs_the_job_on_its_thread_and_resumes_at_home) {
    WorkerThread worker("test");
    EXPECT_TRUE(run_task(runs_elsewhere_and_comes_back(worker)));
}

TEST(WorkerThread, refuses_after_stop) {
    WorkerThread worker("test");
    worker.stop();
    auto const result = run_task(worker.run([]() -> Result<int> { return 1; }));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::shutting_down);
}

struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = false;
    void wait() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return open; });
    }
    void let_go() {
        std::lock_guard lock(mutex);
        open = true;
        changed.notify_all();
    }
};

Task<void> submit_and_keep(BatchWorker<int, int>& worker, int value,
                           std::vector<Result<int>>& out) {
    out.push_back(co_await worker.submit(value));
}

TEST(BatchWorker, what_queued_up_meanwhile_is_one_batch_and_a_full_queue_says_so) {
    boost::asio::io_context context(1);
    Gate gate;
    std::vector<std::size_t> batches;
    BatchWorker<int, int> worker("test", 10, [&](std::vector<int> values) {
        gate.wait();
        batches.push_back(values.size());
        for (int& value : values) {
            value *= 2;
        }
        return values;
    });
    std::vector<Result<int>> out;
    boost::asio::co_spawn(context, submit_and_keep(worker, 0, out), boost::asio::detached);
    context.run_for(Milliseconds(50));  // the worker takes the first one and waits at the gate
    for (int i = 1; i <= 11; ++i) {
        boost::asio::co_spawn(context, submit_and_keep(worker, i, out), boost::asio::detached);
    }
    context.run_for(Milliseconds(50));
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].error().code(), ErrorCode::store_unavailable);
    gate.let_go();
    context.run();
    worker.stop();
    EXPECT_EQ(batches, (std::vector<std::size_t>{1, 10}));
    EXPECT_EQ(out.size(), 12U);
    EXPECT_EQ(*out.back(), 20);
}

TEST(BatchWorker, stop_finishes_what_is_queued) {
    boost::asio::io_context context(1);
    std::vector<Result<int>> out;
    BatchWorker<int, int> worker("test", 10, [](std::vector<int> values) { return values; });
    for (int i = 0; i < 5; ++i) {
        boost::asio::co_spawn(context, submit_and_keep(worker, i, out), boost::asio::detached);
    }
    context.poll();
    worker.stop();
    context.run();
    ASSERT_EQ(out.size(), 5U);
    for (auto const& result : out) {
        EXPECT_TRUE(result);
    }
}

// --- Runtime

RuntimeOptions quick() {
    return {.http_threads = 2, .grace = std::chrono::seconds(5), .handle_signals = false};
}

Task<std::thread::id> thread_here() {
    co_return std::this_thread::get_id();
}

Task<void> hop(Runtime& runtime, bool& right) {
    auto const session = std::this_thread::get_id();
    auto const control = co_await on_control(runtime, thread_here());
    right = control != session && std::this_thread::get_id() == session;
    runtime.request_stop();
}

TEST(Runtime, a_session_hops_to_the_control_thread_and_back) {
    Runtime runtime(quick());
    bool right = false;
    spawn(runtime.workers().at(1), hop(runtime, right));
    runtime.run();
    EXPECT_TRUE(right);
}

Task<void> note(std::vector<std::string>& order, std::string name) {
    order.push_back(std::move(name));
    co_return;
}

Task<void> finish_late(std::vector<std::string>& order) {
    co_await timers_.sleep_for(Milliseconds(50));
    order.push_back("detached work");
}

TEST(Runtime, shutdown_keeps_its_order_and_finishes_detached_work) {
    Runtime runtime(quick());
    std::vector<std::string> order;
    runtime.on_shutdown("listeners", [&] { return note(order, "listeners"); });
    runtime.on_shutdown("stores", [&] { return note(order, "stores"); });
    spawn(runtime.control(), finish_late(order));
    runtime.request_stop();
    runtime.request_stop();
    runtime.run();
    EXPECT_EQ(order, (std::vector<std::string>{"listeners", "stores", "detached work"}));
}

Task<void> never() {
    co_await timers_.sleep_for(std::chrono::hours(1));
}

TEST(Runtime, a_step_that_hangs_does_not_keep_the_stores_from_closing) {
    RuntimeOptions options = quick();
    options.grace = Milliseconds(1);
    options.grace_of_a_step = Milliseconds(100);
    Runtime runtime(options);
    std::vector<std::string> order;
    runtime.on_shutdown("hangs", [] { return never(); });
    runtime.on_shutdown("stores", [&] { return note(order, "stores"); });
    runtime.request_stop();
    runtime.run();
    EXPECT_EQ(order, (std::vector<std::string>{"stores"}));
}

TEST(Runtime, sigterm_stops_and_sighup_reloads) {
    RuntimeOptions options = quick();
    options.handle_signals = true;
    Runtime runtime(options);
    int reloads = 0;
    runtime.on_reload([&] {
        ++reloads;
        kill(getpid(), SIGTERM);
    });
    boost::asio::post(runtime.control(), [&] {
        boost::asio::post(runtime.control(), [] { kill(getpid(), SIGHUP); });
    });
    runtime.run();
    EXPECT_EQ(reloads, 1);
    EXPECT_TRUE(runtime.is_stopping());
}

}  // namespace
}  // namespace brickgate

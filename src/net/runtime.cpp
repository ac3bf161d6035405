// SPDX-License-Identifier: Apache-2.0
#include "net/runtime.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <thread>
#include <utility>

#include "base/log.h"
#include "net/worker_thread.h"

namespace brickgate {

namespace {

using Context = boost::asio::io_context;
using Guard = boost::asio::executor_work_guard<Executor>;
using Signals = boost::asio::basic_signal_set<Executor>;
using SteadyTime = SteadyTimer::time_point;

unsigned thread_count(unsigned wanted) {
    constexpr unsigned most = 8;  // beyond that the token path was never measured
    return wanted != 0 ? wanted : std::clamp(std::thread::hardware_concurrency(), 1U, most);
}

}  // namespace

struct Runtime::State {
    explicit State(RuntimeOptions wanted) : options(wanted), signals(control.get_executor()) {
        for (unsigned i = 0; i < thread_count(wanted.http_threads); ++i) {
            workers.push_back(std::make_unique<Context>(1));
        }
    }

    Task<void> watch_signals();
    Task<void> shut_down();
    void stop_workers();

    RuntimeOptions options;
    Context control{1};
    std::vector<std::unique_ptr<Context>> workers;
    std::vector<std::thread> threads;
    std::vector<std::pair<std::string, Step>> steps;
    std::function<void()> reload;
    Signals signals;
    std::atomic<bool> stopping{false};
};

namespace {

// Runs one step, but does not wait for it beyond the deadline: a step that hangs must not keep the
// ones after it (the stores close last) from running.
struct StepRun {
    SteadyTimer gate;
    bool done = false;
};

Task<void> run_step(Runtime::Step step, std::shared_ptr<StepRun> run) {
    co_await step();
    run->done = true;
    run->gate.cancel();
}

Task<bool> done_before(Runtime::Step step, SteadyTime deadline) {
    Executor const executor = co_await boost::asio::this_coro::executor;
    auto run = std::make_shared<StepRun>(SteadyTimer(executor, deadline));
    spawn(executor, run_step(std::move(step), run));
    if (!run->done) {  // a short step has ended before spawn() returned
        boost::system::error_code ignored;
        co_await run->gate.async_wait(boost::asio::redirect_error(use_task, ignored));
    }
    co_return run->done;
}

Task<void> detached_work(Executor control, std::size_t left) {
    co_await task_group_of(control).drained(left);
}

}  // namespace

Runtime::Runtime(RuntimeOptions options) : state_(std::make_unique<State>(options)) {
    signal(SIGPIPE,
           SIG_IGN);  // a peer that went is an error of the write, not the end of the program
}

Runtime::~Runtime() {
    state_->stop_workers();
}

Executor Runtime::control() {
    return state_->control.get_executor();
}

std::vector<Executor> Runtime::workers() {
    std::vector<Executor> out;
    for (auto const& context : state_->workers) {
        out.push_back(context->get_executor());
    }
    return out;
}

void Runtime::on_shutdown(std::string name, Step step) {
    state_->steps.emplace_back(std::move(name), std::move(step));
}

void Runtime::on_reload(std::function<void()> reload) {
    state_->reload = std::move(reload);
}

bool Runtime::is_stopping() const {
    return state_->stopping.load();
}

void Runtime::run() {
    std::vector<Guard> guards;
    guards.emplace_back(control());
    for (auto const& context : state_->workers) {
        guards.emplace_back(context->get_executor());
        state_->threads.emplace_back([&context = *context, n = state_->threads.size()] {
            name_this_thread("bg-http-" + std::to_string(n));
            context.run();
        });
    }
    if (state_->options.handle_signals) {
        spawn(control(), state_->watch_signals());
    }
    state_->control.run();
    state_->stop_workers();
}

void Runtime::request_stop() {
    if (!state_->stopping.exchange(true)) {
        spawn(control(), state_->shut_down());
    }
}

Task<void> Runtime::State::watch_signals() {
    for (int number : {SIGTERM, SIGINT, SIGHUP}) {
        signals.add(number);
    }
    for (;;) {
        int const number = co_await signals.async_wait(use_task);
        if (number == SIGHUP) {
            log(LogLevel::info, "reload", "Reloading, as SIGHUP asks.");
            if (reload) {
                reload();
            }
        } else if (stopping.exchange(true)) {
            log(LogLevel::warning, "stop_now", "Second signal: stopping without waiting.");
            control.stop();
        } else {
            log(LogLevel::info, "stopping", "Stopping: finishing what is under way.");
            spawn(control.get_executor(), shut_down());
        }
    }
}

Task<void> Runtime::State::shut_down() {
    SteadyTime const deadline = std::chrono::steady_clock::now() + options.grace;
    Executor const executor = control.get_executor();
    for (auto& [name, step] : steps) {
        // However late it is, each step gets a moment: the last ones close the stores.
        SteadyTime const at_least = std::chrono::steady_clock::now() + options.grace_of_a_step;
        bool const done = co_await done_before(step, std::max(deadline, at_least));
        if (!done) {
            log(LogLevel::warning, "shutdown_step_late", "A shutdown step did not end in time.",
                {{"step", name}});
        }
    }
    // Three are no work: this task, the one that watches signals, and the one that counts.
    std::size_t const own = options.handle_signals ? 3 : 2;
    Step rest = [executor, own] { return detached_work(executor, own); };
    bool const quiet = co_await done_before(rest, deadline);
    if (!quiet) {
        log(LogLevel::warning, "shutdown_tasks_left",
            "Background tasks were still running at the end.",
            {{"tasks", task_group_of(executor).running() - own}});
    }
    control.stop();
}

void Runtime::State::stop_workers() {
    for (auto const& context : workers) {
        context->stop();
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    threads.clear();
}

}  // namespace brickgate

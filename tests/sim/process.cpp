// SPDX-License-Identifier: Apache-2.0
#include "sim/process.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>

namespace brickgate::sim {

namespace {

[[noreturn]] void throw_aborted() {
    throw boost::system::system_error(boost::asio::error::operation_aborted);
}

}  // namespace

struct Process::Sleeper {
    explicit Sleeper(Executor executor) : gate(executor, SteadyTimer::time_point::max()) {}
    SteadyTimer gate;  // never expires; cancelled when the time is up, or with its waiter
    bool woken = false;
};

Task<void> Process::sleep_for(Milliseconds duration) {
    if (died_at_) {
        throw_aborted();
    }
    auto const sleeper = std::make_shared<Sleeper>(executor());
    Wait const id = make_wait();
    sleepers_.emplace(id, sleeper);
    agenda_.after(std::max(duration, Milliseconds(0)), [self = weak_from_this(), id] {
        if (auto const process = self.lock()) {
            process->wake(id);
        }
    });
    boost::system::error_code ignored;
    co_await sleeper->gate.async_wait(boost::asio::redirect_error(use_task, ignored));
    sleepers_.erase(id);
    if (!sleeper->woken) {
        throw_aborted();
    }
}

Task<void> Process::wait(Wait id) {
    if (died_at_) {
        throw_aborted();
    }
    auto keep = [this, id](Completion<bool> done) { waiting_.emplace(id, std::move(done)); };
    bool const alive = co_await await_callback<bool>(std::move(keep));
    if (!alive) {
        throw_aborted();
    }
}

Task<void> Process::pause(Milliseconds duration) {
    Wait const id = make_wait();
    agenda_.after(duration, [self = weak_from_this(), id] {
        if (auto const process = self.lock()) {
            process->wake(id);
        }
    });
    return wait(id);
}

bool Process::later(std::move_only_function<void()> act) {
    if (agenda_.now() >= frozen_until_) {
        return false;
    }
    agenda_.at(frozen_until_, std::move(act));
    return true;
}

void Process::wake(Wait id) {
    bool const awaited = waiting_.contains(id) || sleepers_.contains(id);
    if (!awaited || died_at_) {
        return;
    }
    if (later([self = shared_from_this(), id] { self->wake(id); })) {
        return;
    }
    if (auto const sleeper = sleepers_.find(id); sleeper != sleepers_.end()) {
        sleeper->second->woken = true;
        sleeper->second->gate.cancel();
    } else {
        auto done = waiting_.extract(id);
        done.mapped()(true);
    }
    work();
}

void Process::run(Task<void> task) {
    spawn(executor(), std::move(task));
    work();
}

void Process::freeze(Milliseconds duration) {
    frozen_until_ = std::max(frozen_until_, agenda_.now() + duration);
}

void Process::work() {
    context_.restart();
    context_.poll();
}

void Process::kill() {
    died_at_ = agenda_.now();
    work();
    while (!waiting_.empty() || !sleepers_.empty()) {
        for (auto& [id, done] : std::exchange(waiting_, {})) {
            done(false);
        }
        for (auto const& [id, sleeper] : sleepers_) {
            sleeper->gate.cancel();
        }
        work();
    }
}

}  // namespace brickgate::sim

// SPDX-License-Identifier: Apache-2.0
#pragma once
// One run of the program: an executor, and everything that the run waits for. It can be frozen, and
// it can be killed between any two moments: then nothing that it waits for comes, nothing that it
// does has an effect, and all its coroutines unwind. Doors (network, disk, database) wait through
// it.
#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <optional>

#include "net/bridge.h"
#include "net/task_group.h"
#include "net/timers.h"
#include "sim/agenda.h"

namespace brickgate::sim {

class Process final : public Timers, public std::enable_shared_from_this<Process> {
 public:
    Process(Agenda& agenda, SimClock& clock) : agenda_(agenda), clock_(clock) {}

    Executor executor() { return context_.get_executor(); }
    bool alive() const { return !died_at_; }
    std::optional<Instant> died_at() const { return died_at_; }
    Task<void> sleep_for(Milliseconds duration) override;  // ends when its waiter is cancelled
    Task<void> sleep_until(Time when) override { return sleep_for(when - clock_.now()); }

    // For doors: what was begun goes on, whoever stops waiting for it.
    using Wait = std::uint64_t;
    Wait make_wait() { return next_++; }
    Task<void> wait(Wait id);  // until wake(id)
    void wake(Wait id);
    Task<void> pause(Milliseconds duration);

    void run(Task<void> task);  // starts it and works on what is ready
    void freeze(Milliseconds duration);
    void kill();
    std::size_t tasks() { return task_group_of(executor()).running(); }

 private:
    struct Sleeper;
    void work();
    bool later(std::move_only_function<void()> act);  // frozen: then it happens afterwards

    Agenda& agenda_;
    SimClock& clock_;
    boost::asio::io_context context_{1};
    Wait next_ = 1;
    std::optional<Instant> died_at_;
    Instant frozen_until_{};
    std::map<Wait, Completion<bool>> waiting_;
    std::map<Wait, std::shared_ptr<Sleeper>> sleepers_;
};

}  // namespace brickgate::sim

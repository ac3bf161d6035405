// SPDX-License-Identifier: Apache-2.0
#pragma once
// Work that nobody waits for. Every io_context has one group, found through its executor; whatever
// is spawned there is counted, so that an ordered shutdown can wait until it is finished. The only
// door to detached coroutines. Use from the group's own executor, spawn() from anywhere.
#include <atomic>
#include <cstddef>

#include "net/task.h"

namespace brickgate {

class TaskGroup : public boost::asio::execution_context::service {
 public:
    using key_type = TaskGroup;
    inline static boost::asio::execution_context::id id;
    explicit TaskGroup(boost::asio::execution_context& context);

    // A task that throws is logged, it does not end the program.
    void spawn(Executor executor, Task<void> task);
    std::size_t running() const { return running_.load(); }
    // Resumes when nothing of the group runs any more, the caller's own task not counted when
    // `self` is 1.
    Task<void> drained(std::size_t self = 0);

 private:
    void shutdown() override {}
    std::atomic<std::size_t> running_{0};
};

TaskGroup& task_group_of(Executor executor);
// Starts `task` on `executor` and forgets it (but for the group's count).
void spawn(Executor executor, Task<void> task);

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// Work that nobody waits for. Every io_context has one group, found through its executor; whatever
// is spawned there is counted, so that an ordered shutdown can wait until it is finished. The only
// door to detached coroutines. spawn() may be called from anywhere, drained() on the group's own
// executor.
#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "net/task.h"

namespace brickgate {

class TaskGroup : public boost::asio::execution_context::service {
 public:
    using key_type = TaskGroup;
    inline static boost::asio::execution_context::id id;
    explicit TaskGroup(boost::asio::execution_context& context) : service(context) {}

    // A task that throws is logged, it does not end the program.
    void spawn(Executor executor, Task<void> task);
    std::size_t running() const { return running_.load(); }
    // Resumes when no more than `left` tasks run: 1 where the caller itself was spawned here.
    Task<void> drained(std::size_t left = 0);

 private:
    void shutdown() override {}
    void ended(std::exception_ptr thrown);
    std::atomic<std::size_t> running_{0};
    std::vector<std::shared_ptr<SteadyTimer>> waiting_;
};

TaskGroup& task_group_of(Executor executor);
// Starts `task` on `executor` and forgets it, but for the group's count. Called on that executor's
// own thread, the task runs at once, up to its first wait.
void spawn(Executor executor, Task<void> task);

}  // namespace brickgate

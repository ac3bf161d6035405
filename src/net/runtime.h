// SPDX-License-Identifier: Apache-2.0
#pragma once
// The program's threads and its end. One control io_context (logins, refreshes, the scheduler:
// domain code lives here and needs no locks) and one io_context with its own thread per HTTP
// worker. run() blocks until request_stop() or SIGTERM/SIGINT, then calls the shutdown steps in the
// order they were added, waits for detached work, and stops the threads. SIGHUP calls the reload
// function. Owned by the composition root.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/bridge.h"
#include "net/task.h"

namespace brickgate {

struct RuntimeOptions {
    unsigned http_threads = 0;                               // 0: one a core, 8 at most
    Milliseconds grace = std::chrono::seconds(25);           // for all shutdown steps together
    Milliseconds grace_of_a_step = std::chrono::seconds(2);  // for each, however late it is
    bool handle_signals = true;                              // tests bring their own end
};

class Runtime {
 public:
    using Step = std::function<Task<void>()>;

    explicit Runtime(RuntimeOptions options = {});
    ~Runtime();
    Runtime(Runtime const&) = delete;
    Runtime& operator=(Runtime const&) = delete;

    Executor control();
    std::vector<Executor> workers();

    // Steps run on the control executor, one after the other: listeners first, stores last.
    void on_shutdown(std::string name, Step step);
    void on_reload(std::function<void()> reload);

    void run();           // on the calling thread, which becomes the control thread
    void request_stop();  // any thread, any number of times
    bool is_stopping() const;

 private:
    struct State;
    std::unique_ptr<State> state_;
};

// From a session to the control executor and back: co_await on_control(runtime, gateway.token(id,
// wish)).
template <class T>
Task<T> on_control(Runtime& runtime, Task<T> task) {
    return run_on(runtime.control(), std::move(task));
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who waits for the next token of a connection. A Watcher is one place in a bounded list. It is
// woken when the cache takes another token of its connection, when a grant ends and when the
// gateway stops; that something has changed is all it is told, and its owner then asks for the
// token as everybody does. Any thread may watch, report a change and stop; a Watcher is used on the
// executor it was made for. Nothing is awaited under the lock. A watcher that is destroyed, or
// whose wait is cancelled, leaves nothing. Errors: overloaded (with retry_after), shutting_down.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "net/timers.h"

namespace brickgate {

class TokenWatch {
    struct State;
    struct Waiter;

 public:
    enum class Woken : std::uint8_t { changed, stopping, time_up, left };

    class Watcher {
     public:
        Watcher(Watcher&&) noexcept = default;
        Watcher& operator=(Watcher&&) = delete;
        ~Watcher();
        // A change since the watcher was made, or since the last wait ended, counts at once.
        Task<Woken> wait(Milliseconds limit);
        // Whom it waits for has left: the wait ends, and each that follows. On its executor.
        void leave();

     private:
        friend class TokenWatch;
        Watcher(std::shared_ptr<State> state, std::shared_ptr<Waiter> waiter);
        std::shared_ptr<State> state_;
        std::shared_ptr<Waiter> waiter_;  // nullptr: moved from
    };

    TokenWatch(std::size_t watchers_max, Timers& timers);

    // Watch first and ask for the token then: what happens in between is not missed. `holder`: the
    // key on whose account it waits, which takes half of the places at most; empty: this machine's
    // own commands, which nobody counts.
    Result<Watcher> watch(ConnectionId id, Executor home, std::string holder = {});
    void changed(ConnectionId const& id);
    void stop();  // wakes everybody, takes nobody any more
    std::size_t watchers() const;

 private:
    std::shared_ptr<State> state_;
};

}  // namespace brickgate

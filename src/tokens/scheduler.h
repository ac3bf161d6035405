// SPDX-License-Identifier: Apache-2.0
#pragma once
// Refreshes ahead of time: once a second asks the store which connections are due and sends them
// through the same flight and machine as a caller would. Lives on the control executor.

#include <cstddef>
#include <unordered_set>

#include "net/task_group.h"
#include "net/timers.h"
#include "tokens/refresher.h"
#include "vault/vault.h"

namespace brickgate {

class Scheduler {
 public:
    Scheduler(Refresher& refresher, Vault& vault, Clock& clock, Timers& timers,
              std::size_t in_flight_max);
    // Runs until stop(); spawn it once.
    Task<void> run();
    Task<Result<std::size_t>> tick();  // one look at the due index: how many were started
    void stop() { stopping_ = true; }

 private:
    Task<void> refresh_one(ConnectionId id, std::uint64_t generation);

    Refresher& refresher_;
    Vault& vault_;
    Clock& clock_;
    Timers& timers_;
    std::size_t in_flight_max_;
    std::unordered_set<ConnectionId> in_flight_;
    bool stopping_ = false;
};

}  // namespace brickgate

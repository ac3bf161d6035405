// SPDX-License-Identifier: Apache-2.0
#pragma once
// Refreshes ahead of time: once a second asks the store which connections are due and sends them
// through the same flight and machine as a caller would. No more of one host, and no more in all,
// are on their way than the rates let pass in a second, so that none waits in a queue where it
// could not be overtaken by one with less life left. Lives on the control executor.

#include <cstddef>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "net/task_group.h"
#include "net/timers.h"
#include "tokens/refresher.h"
#include "vault/vault.h"

namespace brickgate {

class Scheduler {
 public:
    Scheduler(Refresher& refresher, Vault& vault, Clock& clock, Timers& timers);
    // Runs until stop(); spawn it once.
    Task<void> run();
    Task<Result<std::size_t>> tick();  // one look at the due index: how many were started
    void stop() { stopping_ = true; }

 private:
    Task<void> spread_overdue();
    Task<Result<std::vector<Connection>>> look(DueQuery query);
    std::size_t start(Executor executor, std::vector<Connection> const& due);
    Task<void> refresh_one(ConnectionId id, std::uint64_t generation, std::string host);

    Refresher& refresher_;
    Vault& vault_;
    Clock& clock_;
    Timers& timers_;
    std::unordered_set<ConnectionId> in_flight_;
    std::unordered_map<std::string, std::size_t> in_flight_at_;  // by workspace
    bool stopping_ = false;
};

}  // namespace brickgate

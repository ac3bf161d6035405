// SPDX-License-Identifier: Apache-2.0
#pragma once
// Everything that outlives a process: time, chance, the workspaces, the database, and the judge.
#include <memory>
#include <vector>

#include "databricks/registration.h"
#include "sim/judge.h"
#include "vault/vault.h"

namespace brickgate::sim {

// What a seed draws before anything happens.
struct Setting {
    std::size_t nodes = 1;
    std::size_t people = 2;
    std::size_t hosts = 1;
    Workspaces::Nature nature;
    Milliseconds storm = std::chrono::minutes(20);  // for so long the faults strike
    static Setting draw(Dice& dice);
};

struct World {
    World(std::uint64_t seed, Break broken, std::size_t lines_kept);

    std::string host_of(std::size_t person) const;
    void note(std::string_view what, std::string_view who = {}, std::int64_t number = 0,
              std::string_view more = {}) {
        trace.note(agenda.now(), what, who, number, more);
    }

    Dice dice;
    SimRandom random;  // of what is made once: keys
    SimClock clock;
    Agenda agenda{clock, dice};
    Trace trace;
    Faults faults;
    Setting setting;
    Break broken;
    Workspaces workspaces;
    SimStore store;
    Judge judge;
    std::unique_ptr<Keyring> keyring;
    Instant client_refused_until{};  // the registration is refused by the servers for a while
    std::vector<std::shared_ptr<Registration const>> registrations;
    std::vector<std::string> return_to_allowed;
};

}  // namespace brickgate::sim

// SPDX-License-Identifier: Apache-2.0
#pragma once
// One seed, from the first start to the end: a storm in which the seed's faults strike, a calm in
// which everything must come right again, and the verdict. A pure function of its arguments.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/faults.h"

namespace brickgate::sim {

struct Report {
    std::uint64_t seed = 0;
    std::uint64_t hash = 0;              // of everything that happened, in its order
    std::optional<std::string> verdict;  // which rule was broken; nullopt: none
    std::vector<std::string> tail;       // the last of what happened, where lines were kept
    std::string setting;
    std::uint64_t steps = 0;
    std::uint64_t faults = 0;
    std::uint64_t crashes = 0;
    std::uint64_t refreshes = 0;
    std::uint64_t repeats = 0;  // of them: again, after an unknown outcome
    std::uint64_t deaths = 0;   // grants that ended, each with its cause
    std::uint64_t tokens = 0;   // handed out
    Milliseconds time{};        // how much of it passed
};

Report run(std::uint64_t seed, Break broken = Break::none, std::size_t lines_kept = 0);
// Runs a failed seed again to see what led to it: the seed, the tail of the trace, the command.
std::string explain(Report const& failed, Break broken = Break::none, std::size_t lines = 60);

}  // namespace brickgate::sim

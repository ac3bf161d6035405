// SPDX-License-Identifier: Apache-2.0
#pragma once
// Breadth-first search through every reachable state.

#include <cstddef>
#include <string>

#include "model/state.h"

namespace brickgate::model {

struct Found {
    std::size_t states = 0;
    std::size_t lost = 0;
    std::size_t false_reauth = 0;
    std::size_t twice = 0;
    std::size_t untrue = 0;
    std::size_t in_the_window = 0;  // the live token is lost, and one of the declared gaps is why
    std::string trace;              // the shortest way to the first broken state, a step a line
    bool clean() const { return trace.empty(); }
};

Found search(Setting const& setting);

}  // namespace brickgate::model

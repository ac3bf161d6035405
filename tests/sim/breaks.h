// SPDX-License-Identifier: Apache-2.0
#pragma once
// The usual designs of a refresh, as what is left out of ours (security design D.2), and single
// rules left out of it. Compare-and-swap and the fence are not left out alone: as long as the
// intent keeps everybody else away, nobody would miss them.
#include <array>
#include <string_view>

#include "sim/faults.h"

namespace brickgate::sim {

struct NamedBreak {
    std::string_view name;
    Break broken;
};
inline constexpr Break p3 = Break::no_hold;
inline constexpr Break p2 = p3 | Break::no_fence | Break::no_spool;
inline constexpr Break p1 = p2 | Break::short_lease | Break::late_send;
inline constexpr Break p0 = p1 | Break::no_cas;
inline constexpr std::array<NamedBreak, 11> breaks{{
    {"p0", p0},
    {"p1", p1},
    {"p2", p2},
    {"p3", p3},
    {"short_lease", Break::short_lease | Break::no_hold},
    {"late_send", Break::late_send},
    {"no_spool", Break::no_spool},
    {"no_recovery", Break::no_recovery},
    {"lazy_sync", Break::lazy_sync},
    {"lazy_store", Break::lazy_store},
    {"eager", Break::eager},
}};
constexpr Break break_named(std::string_view name) {
    for (auto const& one : breaks) {
        if (one.name == name) {
            return one.broken;
        }
    }
    return Break::none;
}

}  // namespace brickgate::sim

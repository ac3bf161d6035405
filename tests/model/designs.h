// SPDX-License-Identifier: Apache-2.0
#pragma once
// The designs that are compared, and the faults they are compared under.

#include <array>
#include <string_view>

#include "model/state.h"

namespace brickgate::model {

struct Design {
    std::string_view name;  // what it has is in docs/reliability.md
    Pieces pieces;
};
constexpr Pieces our_pieces{true, true, true, true, true, true, true, true, true};
constexpr std::array<Design, 5> designs{{
    {"P0", {}},
    {"P1", {.cas = true}},
    {"P2", {.cas = true, .deadline = true}},
    {"P3",
     {.cas = true,
      .deadline = true,
      .spool = true,
      .fence = true,
      .alternative = true,
      .replay_late = true,
      .revive = true}},
    {"P4", our_pieces},
}};

struct Column {
    std::string_view name;
    std::string_view what;
    Faults faults;
    Byte claims = 4;
    Byte refreshes = 2;
};
constexpr std::array<Column, 12> columns{{
    {"none", "no fault", {}},
    {"crash", "one crash", {.crash = 1}},
    {"cut", "one request or answer lost", {.lost = 1}},
    {"db", "one write failed, or done and reported as failed", {.database = 1}},
    {"stall", "nodes stall", {.stall = 1}},
    {"four", "two crashes, a cut, a failed write", {.crash = 2, .lost = 1, .database = 1}},
    {"stalls",
     "a crash, a cut, a failed write, stalls",
     {.crash = 1, .lost = 1, .database = 1, .stall = 1},
     3},
    {"unspent",
     "a crash, a cut, and a request that was not taken",
     {.crash = 1, .lost = 1, .not_spent = 1}},
    {"late",
     "a crash, a cut, and a request that arrives after its retry",
     {.crash = 1, .lost = 1, .late = 1}},
    {"disk",
     "the spool fails once, a crash, a failed write",
     {.crash = 1, .database = 1, .disk = 1}},
    {"consent",
     "a new sign-in at any moment, a crash, a cut, stalls",
     {.crash = 1, .lost = 1, .stall = 1, .consent = 1}},
    {"takeover",
     "one forced takeover, a crash, a failed write, stalls",
     {.crash = 1, .database = 1, .stall = 1, .takeover = 1},
     3},
}};
// For ours alone, and not in every test run: some 20 million states.
constexpr std::array<Column, 2> deep_columns{{
    {"mixed",
     "a crash, a cut, a failed write, a request that was not taken, stalls, a forced takeover",
     {.crash = 1, .lost = 1, .database = 1, .stall = 1, .not_spent = 1, .takeover = 1}},
    {"long",
     "three refreshes, six claims, two crashes, a cut, a failed write, stalls",
     {.crash = 2, .lost = 1, .database = 1, .stall = 1},
     6,
     3},
}};
constexpr std::array<Mode, 4> modes{Mode::reusable, Mode::grace, Mode::strict, Mode::revoke};
constexpr std::array<std::string_view, 4> mode_names{"reusable", "grace", "strict", "revoke"};

inline Setting setting_of(Pieces const& pieces, Mode mode, Column const& column) {
    return {pieces, mode, column.faults, column.refreshes, column.claims};
}

}  // namespace brickgate::model

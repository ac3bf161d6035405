// SPDX-License-Identifier: Apache-2.0
#include "model/invariants.h"

#include <algorithm>

namespace brickgate::model {

namespace {

bool is_on_disk(State const& state, Byte token) {
    auto const in_spool = [&](Spool const& spool) {
        return spool.kept == Kept::open && spool.answer == token;
    };
    return state.row.token == token || state.row.alternative == token ||
           std::ranges::any_of(state.spools, in_spool);
}

bool has(State const& state, Byte token) {
    auto const in_hand = [&](Node const& node) {
        bool const has_answer = node.at >= At::answered && node.answer == token;
        // Who presents the live token will be given the next one.
        return has_answer || (node.at == At::asking && node.token == token);
    };
    return is_on_disk(state, token) || std::ranges::any_of(state.nodes, in_hand);
}

bool rests(State const& state) {
    auto const idle = [](Node const& node) { return node.at == At::idle; };
    auto const empty = [](Spool const& spool) { return spool.kept != Kept::open; };
    return std::ranges::all_of(state.nodes, idle) && std::ranges::all_of(state.spools, empty) &&
           state.strays == std::array<Byte, 2>{};
}

// Rules of the intent: an open presentation is declared, and only its owner made it; a grant that
// our own fault has ended is not called revoked.
bool is_untrue(State const& state) {
    Row const& row = state.row;
    if (row.state == RowState::reauth_required) {
        return row.reason == Reason::revoked && (state.cause & (by_late | by_takeover)) == 0;
    }
    bool const declared = row.intent != 0 && row.presented >= state.presentations;
    bool const one_owner = state.presenters != 3 || (state.cause & by_takeover) != 0;
    return state.presentations > 0 && !(declared && one_owner);
}

}  // namespace

bool has_live_token(State const& state) {
    return state.server.revoked == 0 && has(state, state.server.current);
}

Broken broken_in(State const& state, Setting const& setting) {
    Broken broken;
    Server const& server = state.server;
    bool const can_go_on = has_live_token(state) || (server.revoked == 0 && server.grace != 0 &&
                                                     has(state, server.previous));
    broken.lost = (!can_go_on && state.cause == 0) || (state.wrong & threw_away) != 0;
    broken.in_the_window = !can_go_on && !broken.lost;
    broken.twice = (state.wrong & presented_twice) != 0 && state.cause == 0;
    bool const good_one_at_hand =
        state.server.revoked == 0 && is_on_disk(state, state.server.current);
    if (state.row.state == RowState::reauth_required && good_one_at_hand) {
        // One that a takeover has caused must at least end when the owner comes back.
        broken.false_reauth = (state.cause & by_takeover) == 0 || rests(state);
    }
    broken.untrue = setting.pieces.hold && is_untrue(state);
    return broken;
}

}  // namespace brickgate::model

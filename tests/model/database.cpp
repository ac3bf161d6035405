// SPDX-License-Identifier: Apache-2.0
#include "model/database.h"

namespace brickgate::model {

namespace {

void resolve(Row& row) {
    row.lease = row.intent = row.presented = row.outcome_unset = 0;
}

// The row has another token now, which nobody has presented yet.
void replace_token(State& state, Byte token) {
    state.row.token = token;
    state.row.generation += 1;
    state.row.alternative = 0;
    state.row.state = RowState::active;
    state.row.reason = Reason::none;
    resolve(state.row);
    state.presentations = state.presenters = 0;
}

// Whether this flight may say how its claim ended.
bool passes_fence(Row const& row, Pieces const& pieces, Node const& flight, Byte node) {
    if (row.state == RowState::reauth_required) {
        return false;
    }
    if (!pieces.fence) {
        return !pieces.cas || row.generation == flight.generation;
    }
    bool const own = !pieces.hold || row.intent == node;
    return own && row.family == flight.family && row.generation == flight.generation &&
           row.epoch == flight.epoch;
}

void release(Row& row, Node const& flight, Byte node) {
    if (row.lease == node && row.epoch == flight.epoch) {
        row.lease = 0;
    }
}

}  // namespace

bool may_claim(Row const& row, Setting const& setting, Byte node) {
    return row.state != RowState::reauth_required && row.generation <= setting.refreshes &&
           row.epoch < setting.claims && (row.lease == 0 || row.lease == node);
}

void claim(State& state, Pieces const& pieces, Byte node) {
    Row& row = state.row;
    row.epoch += 1;
    row.lease = node;
    if (!pieces.hold) {
        return;
    }
    if (row.intent != 0) {
        row.state = RowState::uncertain;
    }
    row.presented += 1;
    row.intent = node;
    row.outcome_unset = 1;
}

void save(State& state, Pieces const& pieces, Node const& flight) {
    Row& row = state.row;
    bool const fits = row.family == flight.family && row.generation == flight.generation;
    if (fits || !pieces.cas) {
        replace_token(state, flight.answer);
        row.last_saved = flight.epoch;
        return;
    }
    bool const saved_before = row.last_saved == flight.epoch;
    if (row.family != flight.family || saved_before || !pieces.alternative) {
        return;
    }
    if (pieces.revive && row.state == RowState::reauth_required) {
        replace_token(state, flight.answer);
        row.last_saved = flight.epoch;
        return;
    }
    row.alternative = flight.answer;
}

void write_failure(State& state, Pieces const& pieces, Node const& flight, Byte node) {
    Row& row = state.row;
    if (!passes_fence(row, pieces, flight, node)) {
        release(row, flight, node);
        return;
    }
    if (row.alternative != 0) {
        replace_token(state, row.alternative);
        return;
    }
    row.state = RowState::reauth_required;
    row.reason = row.presented > 1 ? Reason::outcome_lost : Reason::revoked;
    resolve(row);
}

void back_off(State& state, Pieces const& pieces, Node const& flight, Byte node, bool presented) {
    Row& row = state.row;
    if (!pieces.hold) {
        release(row, flight, node);
        return;
    }
    bool const noted_before = pieces.once && row.outcome_unset == 0;
    if (!passes_fence(row, pieces, flight, node) || row.intent == 0 || noted_before) {
        return;
    }
    row.presented -= presented ? 0 : 1;
    row.state = row.presented > 0 ? RowState::uncertain : RowState::active;
    row.intent = row.presented > 0 ? row.intent : 0;
    row.lease = row.outcome_unset = 0;
}

void sign_in_again(State& state) {
    Server& server = state.server;
    server.issued += 1;
    server.current = server.first_of_family = server.issued;
    server.previous = server.grace = server.revoked = 0;
    replace_token(state, server.current);
    state.row.family += 1;
    state.row.epoch += 1;
    state.cause = 0;  // the new grant has lost nothing yet
}

}  // namespace brickgate::model

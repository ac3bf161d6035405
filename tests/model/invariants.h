// SPDX-License-Identifier: Apache-2.0
#pragma once
// What must hold in every state, unless one of the declared gaps is its cause.

#include "model/state.h"

namespace brickgate::model {

struct Broken {
    bool lost = false;  // the live token is nowhere with us
    bool false_reauth =
        false;            // the person is asked to sign in again although we have a good token
    bool twice = false;   // one token is presented while it is being presented already
    bool untrue = false;  // the row does not say how it stands with its token
    bool in_the_window = false;  // lost, and nobody could have helped it
    bool any() const { return lost || false_reauth || twice || untrue; }
};

// In the row, in a spool, in a running node's memory or on its way to one.
bool has_live_token(State const& state);
Broken broken_in(State const& state, Setting const& setting);

}  // namespace brickgate::model

// SPDX-License-Identifier: Apache-2.0
#pragma once
// The statements of vault/sqlite_refreshes.cpp on the model's row, each one atomic.

#include "model/state.h"

namespace brickgate::model {

bool may_claim(Row const& row, Setting const& setting, Byte node);
void claim(State& state, Pieces const& pieces, Byte node);
// What a save does and, if it is too late, where its token goes.
void save(State& state, Pieces const& pieces, Node const& flight);
void write_failure(State& state, Pieces const& pieces, Node const& flight, Byte node);
// With `presented` false the presentation did not happen.
void back_off(State& state, Pieces const& pieces, Node const& flight, Byte node, bool presented);
void sign_in_again(State& state);

}  // namespace brickgate::model

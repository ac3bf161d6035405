// SPDX-License-Identifier: Apache-2.0
#pragma once
// The tables of docs/reliability.md, as they are printed and as the test looks for them.

#include <string>

#include "model/search.h"

namespace brickgate::model {

std::string table_head(std::size_t mode);
// States: lost / false reauth / presented twice, and untrue rows where there is an intent.
std::string cell(Found const& found, Pieces const& pieces);

}  // namespace brickgate::model

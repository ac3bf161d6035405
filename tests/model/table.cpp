// SPDX-License-Identifier: Apache-2.0
#include "model/table.h"

#include "model/designs.h"

namespace brickgate::model {

std::string table_head(std::size_t mode) {
    std::string out = "Server mode `" + std::string(mode_names.at(mode)) + "`:\n\n| faults";
    std::string rule = "|---";
    for (auto const& design : designs) {
        out += " | " + std::string(design.name);
        rule += "|---";
    }
    return out + " |\n" + rule + "|\n";
}

std::string cell(Found const& found, Pieces const& pieces) {
    auto const figure = [](std::size_t count) { return std::to_string(count); };
    std::string const untrue = pieces.hold ? " / " + figure(found.untrue) : "";
    return figure(found.states) + ": " + figure(found.lost) + " / " + figure(found.false_reauth) +
           " / " + figure(found.twice) + untrue;
}

}  // namespace brickgate::model

// SPDX-License-Identifier: Apache-2.0
// Prints the tables of docs/reliability.md; with `trace` the shortest way into each failure as
// well; with `deep` the two longest searches of our own design.
#include <iostream>
#include <string_view>

#include "model/designs.h"
#include "model/table.h"

namespace brickgate::model {
namespace {

void print_row(Column const& column, Mode mode, bool traces) {
    std::string ways;
    std::cout << "| " << column.what;
    for (auto const& design : designs) {
        auto const found = search(setting_of(design.pieces, mode, column));
        std::cout << " | " << cell(found, design.pieces) << std::flush;
        if (traces && !found.clean()) {
            ways += "\n" + std::string(design.name) + ":\n" + found.trace;
        }
    }
    std::cout << " |\n" << ways;
}

void print_deep(std::size_t mode) {
    for (auto const& column : deep_columns) {
        auto const found = search(setting_of(our_pieces, modes.at(mode), column));
        std::cout << "| " << mode_names.at(mode) << " | " << column.what << " | "
                  << cell(found, our_pieces) << " |\n"
                  << found.trace << std::flush;
    }
}

}  // namespace
}  // namespace brickgate::model

int main(int count, char** words) {
    using namespace brickgate::model;
    std::string_view const word = count > 1 ? words[1] : "";
    for (std::size_t mode = 0; mode < modes.size(); ++mode) {
        if (word == "deep") {
            print_deep(mode);
            continue;
        }
        std::cout << table_head(mode);
        for (auto const& column : columns) {
            print_row(column, modes.at(mode), word == "trace");
        }
        std::cout << "\n";
    }
}

// SPDX-License-Identifier: Apache-2.0
// The refresh protocol searched to the end, and what becomes of it when a piece is missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <ranges>
#include <sstream>
#include <vector>

#include "model/designs.h"
#include "model/table.h"

namespace brickgate::model {
namespace {

using ::testing::ElementsAreArray;
using ::testing::EndsWith;
using ::testing::HasSubstr;

Column const& column_of(std::string_view name) {
    return *std::ranges::find(columns, name, &Column::name);
}

std::string reliability_document() {
    std::ifstream const file(SOURCE_DIR "/docs/reliability.md");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// The row of the document's table, as it should be found there.
std::string row_in(std::string const& document, std::size_t mode, Column const& column) {
    auto const table = document.find(table_head(mode));
    auto const row = document.find("\n| " + std::string(column.what) + " |", table);
    if (table == std::string::npos || row == std::string::npos) {
        return "no such row";
    }
    return document.substr(row + 1, document.find('\n', row + 1) - row - 1);
}

// ---- ours

class Ours : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Ours, D_model_loses_nothing_and_says_nothing_untrue_whatever_happens) {
    auto const document = reliability_document();
    for (auto const& column : columns) {
        auto const found = search(setting_of(our_pieces, modes.at(GetParam()), column));
        EXPECT_TRUE(found.clean()) << column.what << "\n" << found.trace;
        EXPECT_THAT(row_in(document, GetParam(), column),
                    EndsWith(" | " + cell(found, our_pieces) + " |"))
            << "./run model prints what docs/reliability.md should say";
    }
}
INSTANTIATE_TEST_SUITE_P(Modes, Ours, ::testing::Range<std::size_t>(0, modes.size()),
                         [](auto const& mode) { return std::string(mode_names.at(mode.param)); });

TEST(Window, is_there_where_the_server_allows_no_repeat_and_only_there) {
    auto const lost = [](Mode mode, std::string_view column) {
        return search(setting_of(our_pieces, mode, column_of(column))).in_the_window > 0;
    };
    for (auto const mode : modes) {
        EXPECT_FALSE(lost(mode, "none"));
        EXPECT_FALSE(lost(mode, "db"));
        EXPECT_FALSE(lost(mode, "stall"));
        EXPECT_EQ(lost(mode, "crash"), mode != Mode::reusable) << "in grace mode: when it is over";
        EXPECT_EQ(lost(mode, "cut"), mode != Mode::reusable);
    }
}

// ---- the weaker designs

using Names = std::vector<std::string_view>;

template <class Figure>
Names columns_with(std::string_view design, Mode mode, Figure figure) {
    auto const& pieces = std::ranges::find(designs, design, &Design::name)->pieces;
    Names names;
    for (auto const& column : columns) {
        if (search(setting_of(pieces, mode, column)).*figure > 0) {
            names.push_back(column.name);
        }
    }
    return names;
}

Names all_columns_but(std::initializer_list<std::string_view> clean) {
    Names names;
    for (auto const& column : columns) {
        if (std::ranges::find(clean, column.name) == clean.end()) {
            names.push_back(column.name);
        }
    }
    return names;
}

TEST(Weaker, a_lock_with_a_time_out_loses_grants_without_any_fault) {
    EXPECT_THAT(columns_with("P0", Mode::revoke, &Found::lost),
                ElementsAreArray(all_columns_but({})));
}

TEST(Weaker, a_compare_and_swap_does_not_mend_that) {
    EXPECT_THAT(columns_with("P1", Mode::revoke, &Found::lost),
                ElementsAreArray(all_columns_but({})));
}

TEST(Weaker, a_lease_that_outlives_the_request_is_lost_with_its_process) {
    EXPECT_THAT(columns_with("P2", Mode::revoke, &Found::lost),
                ElementsAreArray(all_columns_but({"none", "cut"})));
}

TEST(Weaker, a_spool_alone_does_not_keep_others_from_ending_the_grant) {
    EXPECT_THAT(columns_with("P3", Mode::revoke, &Found::lost),
                ElementsAreArray(all_columns_but({"none", "cut"})));
}

TEST(Weaker, a_spool_alone_asks_people_to_sign_in_while_it_has_their_token) {
    EXPECT_THAT(columns_with("P3", Mode::strict, &Found::false_reauth),
                ElementsAreArray(all_columns_but({"none", "cut"})));
}

// ---- ours without one piece

struct Without {
    std::string_view name;
    bool Pieces::* piece;
    Mode mode;
    std::string_view column;
    std::size_t Found::* figure;
};
void PrintTo(Without const& without, std::ostream* out) {
    *out << without.name;
}
class Missing : public ::testing::TestWithParam<Without> {};

TEST_P(Missing, is_noticed) {
    Pieces pieces = our_pieces;
    pieces.*GetParam().piece = false;
    auto const found = search(setting_of(pieces, GetParam().mode, column_of(GetParam().column)));
    EXPECT_GT(found.*GetParam().figure, 0U) << cell(found, pieces);
    EXPECT_THAT(found.trace, HasSubstr("1. A claims"));
    EXPECT_THAT(found.trace, HasSubstr("=> "));
}

INSTANTIATE_TEST_SUITE_P(
    Pieces, Missing,
    ::testing::Values(
        Without{"cas_while_somebody_signs_in", &Pieces::cas, Mode::reusable, "consent",
                &Found::lost},
        Without{"cas_with_a_write_repeated", &Pieces::cas, Mode::revoke, "db", &Found::lost},
        Without{"deadline", &Pieces::deadline, Mode::revoke, "takeover", &Found::lost},
        Without{"deadline_two_at_a_time", &Pieces::deadline, Mode::reusable, "takeover",
                &Found::twice},
        Without{"spool", &Pieces::spool, Mode::strict, "crash", &Found::lost},
        Without{"fence", &Pieces::fence, Mode::revoke, "db", &Found::lost},
        Without{"fence_two_at_a_time", &Pieces::fence, Mode::reusable, "db", &Found::twice},
        Without{"fence_false_reauth", &Pieces::fence, Mode::strict, "db", &Found::false_reauth},
        Without{"hold_after_a_crash", &Pieces::hold, Mode::revoke, "crash", &Found::lost},
        Without{"hold_while_a_write_fails", &Pieces::hold, Mode::revoke, "db", &Found::lost},
        Without{"hold_during_a_stall", &Pieces::hold, Mode::revoke, "stall", &Found::lost},
        Without{"alternative", &Pieces::alternative, Mode::grace, "takeover", &Found::lost},
        Without{"once_in_a_replay", &Pieces::once, Mode::strict, "unspent", &Found::untrue},
        Without{"once_in_a_write_repeated", &Pieces::once, Mode::strict, "four", &Found::untrue},
        Without{"replay_late", &Pieces::replay_late, Mode::grace, "takeover", &Found::lost},
        Without{"revive", &Pieces::revive, Mode::grace, "takeover", &Found::false_reauth}),
    [](auto const& without) { return std::string(without.param.name); });

TEST(Trace, is_the_shortest_and_can_be_read) {
    Pieces pieces = our_pieces;
    pieces.cas = false;
    auto const found = search(setting_of(pieces, Mode::reusable, column_of("consent")));
    EXPECT_THAT(
        found.trace,
        HasSubstr(
            "6. the person signs in again  [row: generation 2, token 2, active; server: token 2]\n"
            "7. A saves  [row: generation 3, token 1, active; server: token 2]\n"
            "=> the live token is lost\n"));
    EXPECT_THAT(found.trace, EndsWith("=> the live token is lost\n"));
}

}  // namespace
}  // namespace brickgate::model

// SPDX-License-Identifier: Apache-2.0
// T37, T38: which addresses pass, byte by byte, and that none of them is another address to
// somebody who reads it differently.
#include "proxy/target_rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "support/data_file.h"

namespace brickgate::testing {
namespace {

std::string verdict(std::string_view target) {
    auto const checked = check_target(target);
    return checked ? checked->raw : std::string(checked.error().name());
}

std::vector<std::string> texts(json::object const& file, std::string_view list,
                               std::string_view member) {
    std::vector<std::string> out;
    for (auto const& row : *array_at(file, list)) {
        out.push_back(member.empty() ? text_of(row) : text_at(row.as_object(), member));
    }
    return out;
}

std::vector<std::string> hostile_targets() {
    auto const file = read_data_file("proxy/hostile_targets.json").as_object();
    std::vector<std::string> out = texts(file, "targets", "target");
    for (auto const& place : texts(file, "places", "")) {
        auto const hole = place.find("{}");
        for (auto const& segment : texts(file, "segments", "segment")) {
            out.push_back(std::string(place).replace(hole, 2, segment));
        }
    }
    return out;
}

std::vector<std::string> legal_targets() {
    std::vector<std::string> out;
    for (auto const& row : read_table("proxy/legal_targets.json", 60)) {
        out.push_back(text_at(row.as_object(), "target"));
    }
    return out;
}

// A second opinion, written without a look at the first: what somebody may read a path as who
// decodes it once more than we think, takes backslashes for slashes and cuts off ";parameters".
// Empty: not below where it began any more.
std::string decoded_once(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto const digits = text.substr(std::min(i + 1, text.size()), 2);
        auto const byte = text[i] == '%' && digits.size() == 2 ? hex_decode(digits) : std::nullopt;
        out += byte ? *byte : std::string(1, text[i]);
        i += byte ? 2 : 0;
    }
    return out;
}

std::string resolved(std::string_view path) {
    std::vector<std::string> segments;
    for (std::size_t at = 1; at <= path.size();) {
        auto const end = std::min(path.find_first_of("/\\", at), path.size());
        auto const segment = path.substr(at, end - at);
        auto const name = segment.substr(0, segment.find(';'));
        if (name == "..") {
            segments.resize(segments.size() - (segments.empty() ? 0 : 1));
        } else if (!name.empty() && name != ".") {
            segments.emplace_back(name);
        }
        at = end + 1;
    }
    std::string out;
    for (auto const& segment : segments) {
        out += '/' + segment;
    }
    return out + '/';
}

std::string prefix_of(std::string_view path) {
    for (std::string_view const prefix :
         {"/api/2.0/fs/", "/api/2.0/workspace-files/import-file/", "/api/", "/serving-endpoints/",
          "/sql/1.0/", "/sql/protocolv1/"}) {
        if (path.starts_with(prefix)) {
            return std::string(prefix);
        }
    }
    return {};
}

void expect_stays_inside(ProxyTarget const& target) {
    std::string const prefix = prefix_of(target.path());
    ASSERT_FALSE(prefix.empty()) << target.raw;
    std::string reading(target.path());
    for (std::string last; reading != last;) {
        EXPECT_TRUE(resolved(reading).starts_with(prefix)) << target.raw << " read as " << reading;
        EXPECT_TRUE(std::ranges::none_of(reading, [](char c) {
            return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        })) << target.raw;
        last = std::exchange(reading, decoded_once(reading));
    }
}

TEST(TargetRules, T37_no_hostile_target_passes) {
    auto const targets = hostile_targets();
    EXPECT_GE(targets.size(), 1000U);
    for (auto const& target : targets) {
        EXPECT_EQ(verdict(target), "path_rejected") << target.substr(0, 200);
    }
}

TEST(TargetRules, T37_what_clients_send_passes_byte_by_byte) {
    for (auto const& target : legal_targets()) {
        EXPECT_EQ(verdict(target), target);
    }
}

TEST(TargetRules, T37_the_second_opinion_knows_an_attack) {
    EXPECT_EQ(resolved("/api/2.0/a/../b"), "/api/2.0/b/");
    EXPECT_EQ(resolved("/api\\..\\..;x=1/oidc/./v1//token"), "/oidc/v1/token/");
    EXPECT_EQ(decoded_once(decoded_once("/api/%252e%252e%2foidc%2")), "/api/../oidc%2");
}

TEST(TargetRules, T37_no_accepted_target_leaves_its_prefix_however_often_it_is_decoded) {
    std::vector<std::string> const pieces = {
        ".",      "..",   "%2e", "%2E", "%252e", "%25", "%",  "%2f", "%252f", "%5c", "\\",
        "/",      ";",    "%3b", "2e",  "25",    "2f",  "5c", "%00", "00",    "0d",  "%c0%ae",
        "%c3%a9", "oidc", "a",   "?",   "&o=1",  "#",   " ",  "%3f", "%23"};
    auto targets = legal_targets();
    std::mt19937_64 dice(37);
    std::size_t accepted = 0;
    for (int round = 0; round < 60'000; ++round) {
        std::string target = targets[dice() % targets.size()].substr(0, 200);
        for (auto cuts = dice() % 4 + 1; cuts > 0; --cuts) {
            target.insert(dice() % (target.size() + 1), pieces[dice() % pieces.size()]);
        }
        if (auto const checked = check_target(target)) {
            accepted += 1;
            expect_stays_inside(*checked);
        }
    }
    EXPECT_GT(accepted, 1'000U);  // or the property was hardly tried
    for (auto const& target : targets) {
        expect_stays_inside(check_target(target).value());
    }
}

TEST(TargetRules, T38_routing_parameters_are_cut_out_and_nothing_else) {
    for (auto const& row : read_table("proxy/routing_parameters.json", 20)) {
        auto const target = text_at(row.as_object(), "target");
        EXPECT_EQ(verdict(target), text_at(row.as_object(), "kept")) << target;
    }
}

TEST(TargetRules, a_target_has_a_path_and_a_query) {
    auto const both = check_target("/api/2.0/x?y=1?z").value();
    EXPECT_EQ(both.path(), "/api/2.0/x");
    EXPECT_EQ(both.query(), "y=1?z");
    auto const path = check_target("/api/2.0/x").value();
    EXPECT_EQ(path.path(), "/api/2.0/x");
    EXPECT_EQ(path.query(), "");
}

TEST(TargetRules, T37_only_whole_segments_choose_the_transparent_route) {
    for (char const* path : {"/api/2.0/x", "/api/", "/serving-endpoints/m/invocations",
                             "/sql/1.0/warehouses/1", "/sql/protocolv1/o/1/2", "/api/../oidc"}) {
        EXPECT_TRUE(is_proxied_path(path)) << path;
    }
    for (char const* path : {"/api", "/apix/y", "/API/x", "/sql/1.0", "/sql/1.01/x", "/sql/x",
                             "/serving-endpoints", "/oidc/v1/token", "/v1/connections", "/", "",
                             "api/2.0/x", "//api/x", "/sql/protocolv10/x"}) {
        EXPECT_FALSE(is_proxied_path(path)) << path;
    }
}

TEST(TargetRules, T37_a_capability_holds_paths_by_whole_segments) {
    struct Row {
        std::string_view path;
        std::string_view prefix;
        bool within;
    };
    for (Row const& row :
         std::initializer_list<Row>{{"/api/2.0/sql", "/api/2.0/sql", true},
                                    {"/api/2.0/sql/", "/api/2.0/sql", true},
                                    {"/api/2.0/sql/statements/1", "/api/2.0/sql", true},
                                    {"/api/2.0/sql/statements/1", "/api/2.0/sql/", true},
                                    {"/api/2.0/sql/statements/1", "/", true},
                                    {"/api/2.0/sql", "/api/2.0/sql/", false},
                                    {"/api/2.0/sqlx", "/api/2.0/sql", false},
                                    {"/api/2.0/sql;x/y", "/api/2.0/sql", false},
                                    {"/api/2.0/SQL/x", "/api/2.0/sql", false},
                                    {"/api/2.0/%73ql/x", "/api/2.0/sql", false},
                                    {"/api/2.0/sql%2fx", "/api/2.0/sql", false},
                                    {"/api/2.0/sq", "/api/2.0/sql", false},
                                    {"/x/api/2.0/sql", "/api/2.0/sql", false},
                                    {"/api/2.0/sql", "", false},
                                    {"/api/2.0/sql", "api/2.0/sql", false},
                                    {"api/2.0/sql", "api/2.0/sql", false},
                                    {"", "/", false}}) {
        EXPECT_EQ(path_within(row.path, row.prefix), row.within)
            << row.path << " in " << row.prefix;
    }
}

}  // namespace
}  // namespace brickgate::testing

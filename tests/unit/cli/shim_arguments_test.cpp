// SPDX-License-Identifier: Apache-2.0
// What SDKs type to `databricks` (databricks-facts 5.3), and what people do.
#include "cli/shim_arguments.h"

#include <gtest/gtest.h>

namespace brickgate::cli {
namespace {

using Command = ShimCall::Command;

TEST(ShimArguments, version_is_asked_for_in_every_way) {
    using Words = std::vector<std::string>;
    for (auto const& words :
         std::vector<Words>{{"version"}, {"--version"}, {"-v"}, {"version", "--debug"}}) {
        EXPECT_EQ(parse_shim(words).command, Command::version) << words.front();
        EXPECT_FALSE(parse_shim(words).json);
    }
    for (auto const& words : std::vector<Words>{{"version", "--output", "json"},
                                                {"version", "-o", "json"},
                                                {"--output=json", "version"},
                                                {"-o", "JSON", "version"}}) {
        EXPECT_EQ(parse_shim(words).command, Command::version);
        EXPECT_TRUE(parse_shim(words).json);
    }
}

TEST(ShimArguments, what_sdks_say) {
    auto const go = parse_shim({"auth", "token", "--profile", "prod", "--force-refresh"});
    EXPECT_EQ(go.command, Command::token);
    EXPECT_EQ(go.question.profile, "prod");
    EXPECT_TRUE(go.force_refresh);
    EXPECT_FALSE(go.json);
    EXPECT_FALSE(go.text);
    auto const python = parse_shim(
        {"auth", "token", "--host", "https://x.test", "--account-id", "0a1b", "--output", "json"});
    EXPECT_EQ(python.question.host, "https://x.test");
    EXPECT_EQ(python.account_id, "0a1b");
    EXPECT_TRUE(python.json);
    EXPECT_FALSE(python.force_refresh);
    auto const person =
        parse_shim({"-p", "prod", "auth", "token", "--timeout", "1h30m", "-o", "text"});
    EXPECT_EQ(person.command, Command::token);
    EXPECT_EQ(person.question.profile, "prod");
    EXPECT_TRUE(person.text);
    EXPECT_EQ(parse_shim({"auth", "token", "prod"}).question.argument, "prod");
    EXPECT_EQ(parse_shim({"auth", "--host", "x.test", "token"}).question.host, "x.test");
    EXPECT_EQ(parse_shim({"auth", "token", "--host=x.test"}).question.host, "x.test");
}

TEST(ShimArguments, anything_else_is_not_ours_to_answer) {
    using Words = std::vector<std::string>;
    for (auto const& words : std::vector<Words>{{},
                                                {"auth"},
                                                {"auth", "login"},
                                                {"auth", "login", "--host", "x.test"},
                                                {"auth", "profiles"},
                                                {"clusters", "list"},
                                                {"bundle", "deploy", "-t", "dev"},
                                                {"nonsense"}}) {
        auto const call = parse_shim(words);
        EXPECT_EQ(call.command, Command::other);
        EXPECT_EQ(call.why, "");
    }
    for (auto const& words : std::vector<Words>{{"auth", "token", "--no-such"},
                                                {"auth", "token", "a", "b"},
                                                {"auth", "token", "--output", "yaml"},
                                                {"auth", "token", "--timeout", "soon"},
                                                {"auth", "token", "--timeout", "30"},
                                                {"auth", "token", "--host"}}) {
        auto const call = parse_shim(words);
        EXPECT_EQ(call.command, Command::other) << words.back();
        EXPECT_NE(call.why, "") << words.back();
    }
    EXPECT_EQ(parse_shim({"--help"}).command, Command::help);
    EXPECT_EQ(parse_shim({"auth", "token", "-h"}).command, Command::help);
}

}  // namespace
}  // namespace brickgate::cli

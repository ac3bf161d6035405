// SPDX-License-Identifier: Apache-2.0
// What can be typed, against tests/golden/cli_help.txt; and what wrong typing costs.
#include "cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace brickgate::cli {
namespace {

using ::testing::HasSubstr;

void collect(CLI::App& app, std::string const& before, std::string& out) {
    std::string const name = (before.empty() ? "" : before + " ") + app.get_name();
    out += "$ " + name + " --help\n" + app.help(before) + "\n";
    for (auto* const sub : app.get_subcommands([](CLI::App*) { return true; })) {
        collect(*sub, name, out);
    }
}

// To take a change over: cp <the file that the failure names> tests/golden/cli_help.txt
TEST(Arguments, the_help_is_as_it_was_agreed) {
    Arguments arguments;
    auto const app = make_app(arguments);
    std::string help;
    collect(*app, "", help);
    std::ifstream in(SOURCE_DIR "/tests/golden/cli_help.txt");
    std::ostringstream agreed;
    agreed << in.rdbuf();
    std::string const found = ::testing::TempDir() + "/cli_help.txt";
    std::ofstream(found) << help;
    EXPECT_EQ(help, agreed.str()) << "the help is now " << found;
}

TEST(Arguments, every_option_says_what_it_is) {
    Arguments arguments;
    auto const app = make_app(arguments);
    std::vector<CLI::App*> apps{app.get()};
    while (!apps.empty()) {
        auto* const command = apps.back();
        apps.pop_back();
        EXPECT_FALSE(command->get_description().empty()) << command->get_name();
        for (auto const* const option : command->get_options()) {
            EXPECT_FALSE(option->get_description().empty())
                << command->get_name() << " " << option->get_name();
        }
        for (auto* const sub : command->get_subcommands([](CLI::App*) { return true; })) {
            apps.push_back(sub);
        }
    }
}

struct Outcome {
    int code = 0;
    std::string out, err;
};

Outcome program(std::vector<std::string> words) {
    words.insert(words.begin(), "brickgate");
    std::vector<char const*> values;
    for (auto const& word : words) {
        values.push_back(word.c_str());
    }
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    Outcome outcome;
    outcome.code = run_program(static_cast<int>(values.size()), values.data());
    outcome.out = ::testing::internal::GetCapturedStdout();
    outcome.err = ::testing::internal::GetCapturedStderr();
    return outcome;
}

// A title, a colour, a line drawn over: no sentence of ours may steer the terminal.
TEST(Arguments, T24_control_characters_of_what_was_said_are_not_printed) {
    for (auto const& words : std::vector<std::vector<std::string>>{
             {"\x1b]0;owned\x07login\xc2\x9b"},
             {"token", "--output", "\x1b[2Jtext"},
             {"config", "--config", "\x1b[31mno\u202e.toml"},
             {"databricks-shim", "auth", "token", "--profile", "\x1b[31mnone\r"}}) {
        auto const outcome = program(words);
        EXPECT_NE(outcome.code, 0);
        EXPECT_NE(outcome.err, "");
        EXPECT_EQ(outcome.err.find_first_of("\x1b\x07\r"), std::string::npos) << outcome.err;
        EXPECT_EQ(outcome.err.find("\xc2\x9b"), std::string::npos) << outcome.err;
        EXPECT_EQ(outcome.err.find("\u202e"), std::string::npos) << outcome.err;
        EXPECT_EQ(outcome.err.back(), '\n');
    }
}

TEST(Arguments, wrong_typing_is_64_with_a_word_about_it) {
    struct Row {
        std::vector<std::string> words;
        std::string said;
    };
    for (auto const& row : std::vector<Row>{
             {{}, "demo"},
             {{"srve"}, "srve"},
             {{"serve", "--lisen", "x"}, "--lisen"},
             {{"login"}, "host"},
             {{"token", "--min-valid", "soon"}, "min-valid"},
             {{"token", "--min-valid", "-1"}, "min-valid"},
             {{"token", "--output", "yaml"}, "output"},
             {{"sandbox", "--origin", "127.0.0.1:1"}, "--origin"},
             {{"sandbox", "--origin", "http://127.0.0.1:1/"}, "--origin"},
             {{"connections"}, "needs one of these words: list, show"},
             {{"connections", "ls"}, "no command 'connections ls'"},
             {{"connections", "show"}, "id"},
             {{"api-keys", "create", "--name", "x"}, "--rights"},
             {{"api-keys", "create", "--name", "x", "--rights", "admin", "--expires-in", "0"},
              "expires-in"},
             {{"capabilities"}, "needs one of these words: create"},
             {{"capabilities", "create"}, "--connection"},
             {{"capabilities", "create", "--connection", "x", "--expires-in", "-1"}, "expires-in"},
             {{"capabilities", "revoke"}, "id"}}) {
        auto const outcome = program(row.words);
        EXPECT_EQ(outcome.code, 64) << ::testing::PrintToString(row.words);
        EXPECT_THAT(outcome.err, HasSubstr(row.said));
        EXPECT_EQ(outcome.out, "");
    }
}

TEST(Arguments, help_and_version_are_no_failures) {
    EXPECT_EQ(program({"--help"}).code, 0);
    EXPECT_EQ(program({"connections", "explain", "--help"}).code, 0);
    auto const version = program({"version"});
    EXPECT_EQ(version.code, 0);
    EXPECT_EQ(version.out, program({"--version"}).out);
    EXPECT_THAT(program({"version", "--json"}).out, HasSubstr("{\"version\":\""));
}

TEST(Arguments, flags_reach_the_command_as_settings) {
    auto const outcome = program({"config", "--json", "--data", "/somewhere"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr(R"("data.dir":{"value":"/somewhere","source":"flag"})"));
}

TEST(Arguments, a_bad_configuration_is_78_for_every_command_that_reads_it) {
    for (auto const& words : std::vector<std::vector<std::string>>{
             {"serve", "--listen", "3000"},
             {"demo", "--listen", "nowhere:3000"},
             {"config", "--config", "/nowhere.toml"},
             {"doctor", "--config", "/nowhere.toml"},
             {"token", "--config", "/nowhere.toml"},
             {"login", "x.cloud.databricks.com", "--config", "/nowhere.toml"},
             {"connections", "list", "--config", "/nowhere.toml"},
             {"api-keys", "list", "--config", "/nowhere.toml"},
             {"capabilities", "list", "--config", "/nowhere.toml"}}) {
        auto const outcome = program(words);
        EXPECT_EQ(outcome.code, 78) << ::testing::PrintToString(words) << outcome.err;
    }
}

}  // namespace
}  // namespace brickgate::cli

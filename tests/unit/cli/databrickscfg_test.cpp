// SPDX-License-Identifier: Apache-2.0
// ~/.databrickscfg, and which workspace `databricks auth token` means.
#include "cli/databrickscfg.h"

#include <gtest/gtest.h>

namespace brickgate::cli {
namespace {

constexpr char const* file = R"(; made by a person
host = https://of-no-section.cloud.databricks.com

[DEFAULT]
host = https://dbc-d.cloud.databricks.com/
token = dapi-secret

# another
[prod]
  host=https://dbc-p.cloud.databricks.com?o=123
auth_type = databricks-cli
brickgate_connection = con_prod
[ two words ]
host: "adb-1.7.azuredatabricks.net"
[empty]
no equals sign here
[twice]
host = https://dbc-1.cloud.databricks.com
[twice]
host = https://dbc-2.cloud.databricks.com
[other-p]
host = dbc-p.cloud.databricks.com
[__settings__]
default_profile = prod
auth_storage = plaintext
)";

DatabricksCfg cfg(std::string_view text = file) {
    auto out = DatabricksCfg::parse(text);
    out.path = "~/.databrickscfg";
    return out;
}

TEST(DatabricksCfg, profiles_have_a_host_and_our_own_key) {
    auto const read = cfg();
    std::vector<std::string> rows;
    for (auto const& profile : read.profiles) {
        rows.push_back(profile.name + "|" + profile.host + "|" + profile.connection);
    }
    EXPECT_EQ(rows,
              (std::vector<std::string>{"DEFAULT|https://dbc-d.cloud.databricks.com/|",
                                        "prod|https://dbc-p.cloud.databricks.com?o=123|con_prod",
                                        "two words|adb-1.7.azuredatabricks.net|", "empty||",
                                        "twice|https://dbc-2.cloud.databricks.com|",
                                        "other-p|dbc-p.cloud.databricks.com|"}));
    EXPECT_EQ(read.default_profile, "prod");
    EXPECT_EQ(read.find("__settings__"), nullptr);
}

TEST(DatabricksCfg, whatever_a_file_holds_is_read_to_its_end) {
    for (std::string const text :
         {"", "\n\n", "[", "[]", "]", "=", "= x", ":", "[a", "[a]\r\nhost = h\r\n", "host",
          "\xff\xfe", "[a]\nhost =", "[a]\nhost = \"", "[a]\nhost = \"\""}) {
        DatabricksCfg::parse(text);
    }
    EXPECT_EQ(cfg("[a]\r\nhost = h\r\n").find("a")->host, "h");
    EXPECT_EQ(cfg("[a]\nhost = h").find("a")->host, "h") << "no line break at the end";
}

struct Row {
    char const* what;
    ShimQuestion question;
    ShimSurroundings around;
    char const* host;
    char const* connection;
};

TEST(ShimTarget, is_chosen_in_the_order_of_the_databricks_cli) {
    std::string const p = "https://dbc-p.cloud.databricks.com?o=123";
    for (Row const& row : std::vector<Row>{
             {"--profile", {.profile = "prod"}, {}, p.c_str(), "con_prod"},
             {"a profile by its name", {.argument = "prod"}, {}, p.c_str(), "con_prod"},
             {"a host by its name", {.argument = "x.test"}, {}, "x.test", ""},
             {"--host", {.host = "https://h.test"}, {}, "https://h.test", ""},
             {"a host of which one profile names a connection",
              {.host = "https://dbc-p.cloud.databricks.com"},
              {},
              "https://dbc-p.cloud.databricks.com",
              "con_prod"},
             {"--host with its profile", {.host = p, .profile = "prod"}, {}, p.c_str(), "con_prod"},
             {"the variable's profile",
              {},
              {.profile = "two words"},
              "adb-1.7.azuredatabricks.net",
              ""},
             {"the variable's profile before the variable's host",
              {},
              {.host = "https://h.test", .profile = "two words"},
              "adb-1.7.azuredatabricks.net",
              ""},
             {"the variable's host", {}, {.host = "https://h.test"}, "https://h.test", ""},
             {"--host before a profile of the variable that is of another host",
              {.host = "https://h.test"},
              {.profile = "prod"},
              "https://h.test",
              ""},
             {"--host, and a profile of the variable that is gone",
              {.host = "https://h.test"},
              {.profile = "gone"},
              "https://h.test",
              ""},
             {"--profile before the variables",
              {.profile = "prod"},
              {.host = "https://h.test", .profile = "two words"},
              p.c_str(),
              "con_prod"},
             {"the file's default", {}, {}, p.c_str(), "con_prod"},
             {"BRICKGATE_CONNECTION before the file's",
              {},
              {.connection = "con_env"},
              p.c_str(),
              "con_env"},
         }) {
        auto const target = shim_target(row.question, row.around, cfg());
        ASSERT_TRUE(target) << row.what << ": " << target.error();
        EXPECT_EQ(target->host, row.host) << row.what;
        EXPECT_EQ(target->connection, row.connection) << row.what;
    }
    EXPECT_EQ(shim_target({}, {}, cfg("[DEFAULT]\nhost = d.test"))->host, "d.test");
    EXPECT_EQ(shim_target({}, {}, cfg(""))->host, "")
        << "nothing says which: the only one there is";
    EXPECT_EQ(
        shim_target({}, {}, cfg("[__settings__]\ndefault_profile = gone\n[DEFAULT]\nhost=d.test"))
            ->host,
        "d.test");
}

TEST(ShimTarget, what_cannot_be_meant_is_said_in_a_sentence) {
    std::string const two =
        "[a]\nhost = h.test\nbrickgate_connection = con_1\n"
        "[b]\nhost = h.test\nbrickgate_connection = con_2\n";
    struct Wrong {
        ShimQuestion question;
        ShimSurroundings around;
        std::string text;
        char const* said;
    };
    for (auto const& row : std::vector<Wrong>{
             {{.profile = "gone"}, {}, file, "no profile [gone]"},
             {{.argument = "gone"}, {}, file, "no profile [gone]"},
             {{}, {.profile = "gone"}, file, "no profile [gone]"},
             {{.profile = "empty"}, {}, file, "has no host"},
             {{.argument = "prod", .profile = "prod"}, {}, file, "Give one of"},
             {{.argument = "prod", .host = "x.test"}, {}, file, "Give one of"},
             {{.host = "https://h.test", .profile = "prod"}, {}, file, "not of https://h.test"},
             {{.host = "h.test"}, {}, two, "--profile"}}) {
        auto const target = shim_target(row.question, row.around, cfg(row.text));
        ASSERT_FALSE(target) << row.said;
        EXPECT_NE(target.error().find(row.said), std::string::npos) << target.error();
        EXPECT_EQ(target.error().find("not found"), std::string::npos)
            << "the Java SDK passes over such an error without a word";
    }
    EXPECT_EQ(shim_target({.profile = "b"}, {}, cfg(two))->connection, "con_2");
    EXPECT_EQ(shim_target({.host = "h.test"}, {.connection = "con_3"}, cfg(two))->connection,
              "con_3");
}

// Looked for one by one, they would take hours.
TEST(DatabricksCfg, many_profiles_are_read_in_one_go) {
    std::string text;
    for (int i = 0; i < 300'000; ++i) {
        auto const number = std::to_string(i);
        text += "[p" + number + "]\nhost = h" + number + ".test\n";
    }
    auto const parsed = DatabricksCfg::parse(text);
    ASSERT_EQ(parsed.profiles.size(), 300'000U);
    EXPECT_EQ(parsed.find("p299999")->host, "h299999.test");
}

}  // namespace
}  // namespace brickgate::cli

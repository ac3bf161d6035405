// SPDX-License-Identifier: Apache-2.0
// T68: a configuration that is wrong is refused whole, with one clear line for each mistake, and
// never weakened to something that starts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/load_config.h"
#include "support/data_file.h"

namespace brickgate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// tests/vectors/bad_configurations.json; tests/node/bad_config.test.mjs starts the program with
// each.
struct Bad {
    std::string what;
    ConfigValues flags, environment;
    std::string file;
    std::vector<std::string> said;  // all of it in the one line
};

ConfigValues values_at(json::object const& row, std::string_view key) {
    ConfigValues out;
    if (auto const* const values = object_at(row, key)) {
        for (auto const& [name, value] : *values) {
            out.emplace(name, value.get_string());
        }
    }
    return out;
}

std::vector<Bad> read_rows() {
    std::vector<Bad> out;
    for (auto const& entry : testing::read_table("bad_configurations.json", 60)) {
        auto const& row = entry.get_object();
        Bad bad{testing::text_at(row, "what"),
                values_at(row, "flags"),
                values_at(row, "environment"),
                testing::text_at(row, "file"),
                {}};
        for (auto const& words : row.at("said").get_array()) {
            bad.said.emplace_back(words.get_string());
        }
        out.push_back(std::move(bad));
    }
    return out;
}

std::expected<LoadedConfig, std::vector<std::string>> load(Bad const& row) {
    ConfigSources sources;
    sources.flags = row.flags;
    sources.environment = row.environment;
    sources.file_text = row.file;
    sources.file_name = row.file.empty() ? "" : "brickgate.toml";
    sources.default_data_dir = "/state/brickgate";
    return load_config(sources);
}

TEST(BadConfig, T68_each_mistake_is_refused_in_one_clear_line) {
    for (auto const& row : read_rows()) {
        SCOPED_TRACE(row.what);
        auto const loaded = load(row);
        ASSERT_FALSE(loaded) << "it was taken";
        ASSERT_EQ(loaded.error().size(), 1U) << ::testing::PrintToString(loaded.error());
        auto const& line = loaded.error().front();
        EXPECT_EQ(line.find('\n'), std::string::npos) << line;
        EXPECT_LT(line.size(), 260U) << line;
        for (auto const& words : row.said) {
            EXPECT_THAT(line, HasSubstr(words));
        }
    }
}

TEST(BadConfig, T68_a_secret_is_in_no_complaint) {
    for (auto const& row : read_rows()) {
        auto const loaded = load(row);
        ASSERT_FALSE(loaded);
        for (auto const& line : loaded.error()) {
            EXPECT_EQ(line.find("dose-canary-77"), std::string::npos) << line;
            EXPECT_EQ(line.find("AAECAwQFBgcI"), std::string::npos) << line;
        }
    }
}

TEST(BadConfig, all_mistakes_are_told_at_once_each_with_its_source) {
    ConfigSources sources;
    sources.flags["server.listen"] = "3000";
    sources.environment["DATABRICKS_HOST"] = "<your-databricks-instance>";
    sources.environment["BRICKGATE_LOG_LEVEL"] = "loud";
    sources.dotenv["CLIENT_SECRET"] = "x";
    sources.file_name = "etc/gate.toml";
    sources.file_text = "[app]\nname = \"\"\nnam = 1\n";
    auto const loaded = load_config(sources);
    ASSERT_FALSE(loaded);
    EXPECT_THAT(loaded.error(),
                ::testing::UnorderedElementsAre(
                    HasSubstr("server.listen (flag)"),
                    HasSubstr("databricks.host (environment DATABRICKS_HOST)"),
                    HasSubstr("log.level (environment BRICKGATE_LOG_LEVEL)"),
                    HasSubstr("databricks.client_secret (.env CLIENT_SECRET)"),
                    HasSubstr("app.name (etc/gate.toml)"),
                    AllOf(HasSubstr("etc/gate.toml"), HasSubstr("did you mean app.name?"))));
}

}  // namespace
}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
// docs/configuration.md is the table of settings, whole and in its order, and nothing else.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "app/settings_table.h"

namespace brickgate {
namespace {

std::string read(std::string const& path) {
    std::ifstream in(path);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::string row_of(Setting const& setting) {
    std::string const shown = setting.secret ? "" : setting.show(Config{});
    std::string names = "`" + setting.environment_name() + "`";
    if (!setting.plain_name.empty()) {
        names = "`" + std::string(setting.plain_name) + "`, " + names;
    }
    return "| `" + setting.name() + "` | " + (shown.empty() ? "" : "`" + shown + "`") + " | " +
           std::string(setting.about) + " | " + names + " |";
}

TEST(ConfigurationDoc, has_one_row_for_each_setting_with_its_default) {
    std::string const document = read(SOURCE_DIR "/docs/configuration.md");
    std::string wanted;
    for (auto const& setting : all_settings()) {
        wanted += row_of(setting) + "\n";
        EXPECT_NE(document.find(row_of(setting) + "\n"), std::string::npos) << row_of(setting);
    }
    std::size_t rows = 0;
    for (auto at = document.find("\n| `"); at != std::string::npos;
         at = document.find("\n| `", at + 1)) {
        ++rows;
    }
    EXPECT_EQ(rows, all_settings().size()) << "the rows are:\n" << wanted;
}

TEST(ConfigurationDoc, the_public_header_names_every_setting) {
    std::string const header = read(SOURCE_DIR "/include/brickgate/config.h");
    for (auto const& setting : all_settings()) {
        EXPECT_NE(header.find(" " + std::string(setting.key)), std::string::npos) << setting.name();
    }
}

}  // namespace
}  // namespace brickgate

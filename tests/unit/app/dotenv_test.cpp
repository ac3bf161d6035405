// SPDX-License-Identifier: Apache-2.0
#include "app/dotenv.h"

#include <gtest/gtest.h>

#include "support/data_file.h"

namespace brickgate {
namespace {

using testing::read_table;
using testing::text_at;

// The expected values are those of npm's own package: tests/node/dotenv.test.mjs asks it.
TEST(Dotenv, reads_what_the_package_of_npm_reads) {
    for (auto const& entry : read_table("dotenv.json", 180)) {
        auto const& row = entry.get_object();
        std::map<std::string, std::string> expected;
        for (auto const& [name, value] : row.at("values").get_object()) {
            expected.emplace(name, value.get_string());
        }
        EXPECT_EQ(parse_dotenv(text_at(row, "text")), expected) << text_at(row, "what");
    }
}

TEST(Dotenv, the_file_of_the_tutorial) {
    auto const values = parse_dotenv(
        "CLIENT_ID=your-client-id\nCLIENT_SECRET=your-client-secret\n"
        "REDIRECT_URI=http://localhost:3000/callback\n");
    EXPECT_EQ(values.at("REDIRECT_URI"), "http://localhost:3000/callback");
    EXPECT_EQ(values.size(), 3U);
}

}  // namespace
}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "server/demo_steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace brickgate::testing {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

ServerSettings demo_settings() {
    ServerSettings settings;
    settings.public_url = "http://localhost:3000";
    settings.demo = DemoInfo{.api_key = "bg_key",
                             .sandbox = "http://127.0.0.1:3001",
                             .command = "./run brickgate",
                             .options = " --data /tmp/x",
                             .restart = "./run demo --data /tmp/x",
                             .api_url = "",
                             .process = 42};
    return settings;
}

TEST(DemoSteps, none_where_this_is_no_demo) {
    EXPECT_TRUE(demo_steps(ServerSettings(), "con_1").empty());
}

TEST(DemoSteps, each_line_that_asks_for_a_token_names_the_connection_it_was_shown_for) {
    std::vector<std::string> asking;
    for (auto const& step : demo_steps(demo_settings(), "con_7")) {
        for (auto const& command : step.commands) {
            if (command.find("token") != std::string::npos) {
                asking.push_back(command);
            }
        }
    }
    EXPECT_EQ(asking.size(), 4U);
    EXPECT_THAT(asking, Each(HasSubstr("con_7")));  // a second person may have signed in since
    EXPECT_EQ(asking[1], "./run brickgate token con_7 --data /tmp/x");
    EXPECT_EQ(asking[2], "./run brickgate token con_7 --data /tmp/x --force-refresh");
}

TEST(DemoSteps, programs_are_sent_where_they_are_answered) {
    auto settings = demo_settings();
    EXPECT_THAT(demo_steps(settings, "con_7").front().commands.front(),
                HasSubstr("' http://localhost:3000/v1/connections/con_7/token"));
    settings.demo->api_url = "http://127.0.0.1:4000";
    EXPECT_THAT(demo_steps(settings, "con_7").front().commands.front(),
                HasSubstr("' http://127.0.0.1:4000/v1/connections/con_7/token"));
}

}  // namespace
}  // namespace brickgate::testing

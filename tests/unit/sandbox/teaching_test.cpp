// SPDX-License-Identifier: Apache-2.0
// What a program that was just written hears of its mistakes.
#include <gmock/gmock.h>

#include "unit/sandbox/world.h"

namespace brickgate::sandbox {
namespace {

using ::testing::HasSubstr;

class Teaching : public World {};

TEST_F(Teaching, a_refresh_without_a_token_names_offline_access) {
    for (auto const& fields :
         {FormFields{{"grant_type", "refresh_token"}},
          FormFields{{"grant_type", "refresh_token"}, {"refresh_token", ""}}}) {
        auto const answer = token(fields);
        EXPECT_EQ(answer.status, 400);
        EXPECT_EQ(text(parsed(answer), "error"), "invalid_request");
        EXPECT_THAT(text(parsed(answer), "error_description"), HasSubstr("offline_access"));
        EXPECT_EQ(text(last_line(), "decision"), "refresh_token: no refresh_token");
    }
    // One that is wrong is refused as ever.
    EXPECT_EQ(text(parsed(refresh("doau-of-nobody")), "error_description"),
              "Refresh token is invalid");
}

TEST_F(Teaching, an_answer_without_refresh_token_says_why_where_the_app_is_to_blame) {
    auto const without = sign_in("all-apis");
    EXPECT_FALSE(without.contains("refresh_token"));
    EXPECT_THAT(text(without, "sandbox_hint"), HasSubstr("offline_access"));
    EXPECT_FALSE(sign_in().contains("sandbox_hint"));
    auto const own = parsed(token({{"grant_type", "client_credentials"}, {"scope", "all-apis"}}));
    EXPECT_TRUE(own.contains("access_token"));
    EXPECT_FALSE(own.contains("sandbox_hint")) << "nobody expects one there";
    control("PUT", "settings", R"({"issue":"no_refresh_token"})");
    EXPECT_FALSE(sign_in().contains("sandbox_hint")) << "this time it was the workspace";
}

}  // namespace
}  // namespace brickgate::sandbox

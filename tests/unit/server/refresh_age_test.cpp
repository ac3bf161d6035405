// SPDX-License-Identifier: Apache-2.0
// POST /v1/connections/{id}/refresh with if_older_than: many who are told to refresh at once mean
// one refresh.
#include <gmock/gmock.h>

#include "unit/server/world.h"

namespace brickgate::testing {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

TEST(RefreshAge, a_young_token_is_fresh_enough_and_an_old_one_is_refreshed_once) {
    Site site;
    auto const id = site.sign_in()->connection.id.value();
    auto const refresh = [&](std::string body) {
        return site.admin("POST", "/v1/connections/" + id + "/refresh", std::move(body));
    };
    auto const calls = [&] { return site.http.count("POST", token_of(origin_a)); };
    std::string const within_a_minute = R"({"if_older_than":60})";
    auto const at_sign_in = calls();
    site.clock.pass(59s);
    EXPECT_THAT(refresh(within_a_minute).body, HasSubstr(R"("generation":1)"));
    EXPECT_EQ(calls(), at_sign_in);
    site.clock.pass(1s);
    site.expect_tokens(Site::tokens(""));
    for (int i = 0; i < 10; ++i) {
        EXPECT_THAT(refresh(within_a_minute).body, HasSubstr(R"("generation":2)"));
    }
    EXPECT_EQ(calls(), at_sign_in + 1);
    site.expect_tokens(Site::tokens(""));
    EXPECT_THAT(refresh("").body, HasSubstr(R"("generation":3)"))
        << "without an age: whatever it is";
}

TEST(RefreshAge, odd_ages_are_refused_before_anything_is_looked_up) {
    Site site;
    for (std::string const body :
         {"x", "[]", R"({"if_older_than":0})", R"({"if_older_than":-1})",
          R"({"if_older_than":3601})", R"({"if_older_than":"60"})", R"({"if_older_than":null})"}) {
        auto const answer = site.admin("POST", "/v1/connections/con_1/refresh", body);
        EXPECT_EQ(answer.status, 400) << body << answer.body;
    }
    for (std::string const body : {"", "{}", R"({"if_older_than":60})"}) {
        EXPECT_EQ(site.admin("POST", "/v1/connections/con_1/refresh", body).status, 404) << body;
    }
}

}  // namespace
}  // namespace brickgate::testing

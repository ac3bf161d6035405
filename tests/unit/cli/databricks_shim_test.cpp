// SPDX-License-Identifier: Apache-2.0
// A forced refresh through a gateway that answers as told, and what a failure is called.
#include "cli/databricks_shim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace brickgate::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class FakeAdmin final : public Admin {
 public:
    Result<Answer> call(std::string method, std::string target, json::object body) override {
        calls.push_back(method + " " + target + (body.empty() ? "" : " " + json::serialize(body)));
        if (target.ends_with("/refresh")) {
            return refresh;
        }
        if (target.ends_with("/token")) {
            return token;
        }
        json::object row{{"id", "con_1"},
                         {"status", "active"},
                         {"workspace", "https://x.cloud.databricks.com"},
                         {"principal", {{"user_name", "ada@example.com"}}}};
        if (target.starts_with("/v1/connections?")) {
            return Answer{200, {{"items", json::array{row}}, {"next_cursor", nullptr}}};
        }
        return Answer{200, row};
    }
    bool is_daemon() const override { return true; }

    static Answer failed(int status, std::string const& code) {
        return {status, {{"error", {{"code", code}, {"message", "No."}, {"hint", ""}}}}};
    }
    Answer refresh{200, {{"generation", 2}}};
    Answer token{200, {{"access_token", "t"}, {"expires_at", "2026-08-22T12:05:06Z"}}};
    std::vector<std::string> calls;
};

TEST(ShimToken, a_forced_refresh_is_asked_for_with_an_age) {
    FakeAdmin admin;
    std::string warning;
    EXPECT_TRUE(shim_token(admin, {.host = "x.cloud.databricks.com"}, true, warning));
    EXPECT_THAT(admin.calls,
                ElementsAre("GET /v1/connections?limit=1000",
                            R"(POST /v1/connections/con_1/refresh {"if_older_than":60})",
                            "GET /v1/connections/con_1/token"));
    EXPECT_EQ(warning, "");
    admin.calls.clear();
    EXPECT_TRUE(shim_token(admin, {.connection = "con_1"}, false, warning));
    EXPECT_THAT(admin.calls,
                ElementsAre("GET /v1/connections/con_1", "GET /v1/connections/con_1/token"));
}

TEST(ShimToken, without_a_new_one_the_good_one_before_is_given_with_a_word) {
    FakeAdmin admin;
    admin.refresh = FakeAdmin::failed(503, "refresh_pending");
    std::string warning;
    EXPECT_TRUE(shim_token(admin, {}, true, warning));
    EXPECT_THAT(warning, HasSubstr("refresh_pending"));
    EXPECT_THAT(warning, HasSubstr("2026-08-22T12:05:06Z"));
    admin.token = FakeAdmin::failed(409, "reauth_required");
    auto const ended = shim_token(admin, {}, true, warning);
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::reauth_required);
}

TEST(Ask, hands_on_what_the_gateway_said) {
    FakeAdmin admin;
    admin.token = {503,
                   {{"error",
                     {{"code", "refresh_pending"},
                      {"message", "Soon."},
                      {"hint", "Wait."},
                      {"retry_after", 7}}}}};
    auto const answer = ask(admin, "GET", "/v1/connections/con_1/token");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::refresh_pending);
    EXPECT_EQ(answer.error().message(), "Soon.");
    EXPECT_EQ(answer.error().hint(), "Wait.");
    EXPECT_EQ(answer.error().retry_after(), std::chrono::seconds(7));
}

TEST(ShimToken, never_goes_to_another_host) {
    FakeAdmin admin;
    std::string warning;
    auto const other = shim_token(admin, {.host = "y.cloud.databricks.com", .connection = "con_1"},
                                  false, warning);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code(), ErrorCode::invalid_request);
    EXPECT_EQ(admin.calls.size(), 1U) << "no token was asked for";
    EXPECT_FALSE(shim_token(admin, {.host = "https://not a host"}, false, warning));
}

TEST(ShimRefusal, has_the_phrases_that_sdks_look_for_and_no_other) {
    struct Row {
        ErrorCode code;
        char const* name;
        char const* phrase;
    };
    constexpr char const* unknown = "cache: databricks OAuth is not configured for this host";
    constexpr char const* ended = "because the refresh token is invalid";
    for (Row const& row : std::initializer_list<Row>{
             {ErrorCode::connection_unknown, "UNAUTHENTICATED", unknown},
             {ErrorCode::disconnected, "UNAUTHENTICATED", unknown},
             {ErrorCode::reauth_required, "UNAUTHENTICATED", ended},
             {ErrorCode::session_only, "UNAUTHENTICATED", ended},
             {ErrorCode::invalid_request, "INVALID_PARAMETER_VALUE", "invalid_request"},
             {ErrorCode::refresh_pending, "TEMPORARILY_UNAVAILABLE", "refresh_pending"},
             {ErrorCode::in_use, "TEMPORARILY_UNAVAILABLE", "in_use"},
             {ErrorCode::vault_error, "INTERNAL_ERROR", "vault_error"}}) {
        auto const refusal = shim_refusal(Error(row.code, "So."), "https://x.test");
        EXPECT_EQ(refusal.code, row.name) << info_of(row.code).name;
        EXPECT_THAT(refusal.sentence, HasSubstr(row.phrase));
    }
    for (auto const& info : all_error_codes()) {
        auto const refusal = shim_refusal(Error(info.code, "So."), "");
        EXPECT_THAT(refusal.sentence, Not(HasSubstr("not found")))
            << "the Java SDK takes that for a CLI that is not there";
    }
    EXPECT_THAT(shim_refusal(Error(ErrorCode::disconnected, "So."), "https://x.test").sentence,
                HasSubstr("brickgate login https://x.test"));
}

}  // namespace
}  // namespace brickgate::cli

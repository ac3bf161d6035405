// SPDX-License-Identifier: Apache-2.0
// What a person is told about a connection: never without a remedy where somebody must act.
#include "tokens/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace brickgate {
namespace {

using namespace std::chrono_literals;
constexpr Time now = Time(1'000'000s);

Connection row_in(ConnectionState state) {
    Connection row;
    row.state = state;
    row.state_since = now - 1h;
    row.sealed_refresh = "sealed";
    row.access_expires_at = now + 10min;
    row.refresh_due_at = now + 5min;
    return row;
}

TEST(Explain, each_state_says_who_must_act_and_whether_tokens_are_served) {
    struct Row {
        ConnectionState state;
        char const* who;
        bool serves;
    };
    for (auto const& [state, who, serves] :
         {Row{ConnectionState::pending, "customer", false},
          Row{ConnectionState::active, "nobody", true},
          Row{ConnectionState::uncertain, "nobody", true},
          Row{ConnectionState::host_blocked, "customer_admin", true},
          Row{ConnectionState::reauth_required, "customer", false},
          Row{ConnectionState::quarantined, "gateway_operator", false},
          Row{ConnectionState::disconnected, "customer", false}}) {
        auto const said = explain(row_in(state), std::nullopt, now);
        EXPECT_EQ(said.who_must_act, who) << to_string(state);
        EXPECT_EQ(said.serves_tokens, serves) << to_string(state);
        EXPECT_FALSE(said.summary.empty()) << to_string(state);
        EXPECT_EQ(said.remedy.empty(),
                  said.who_must_act == "nobody" && serves && state == ConnectionState::active)
            << to_string(state);
    }
}

TEST(Explain, each_reason_of_a_sign_in_has_words_of_its_own) {
    std::string before;
    for (auto const reason :
         {ReauthReason::revoked, ReauthReason::expired_idle, ReauthReason::session_ended,
          ReauthReason::outcome_lost, ReauthReason::restored, ReauthReason::identity_changed}) {
        auto row = row_in(ConnectionState::reauth_required);
        row.reason = reason;
        auto const said = explain(row, std::nullopt, now).detail;
        EXPECT_FALSE(said.empty()) << to_string(reason);
        EXPECT_NE(said, before);
        before = said;
    }
}

TEST(Explain, T74_what_a_backup_holds_back_can_be_released_and_what_a_newer_version_wrote_cannot) {
    auto row = row_in(ConnectionState::quarantined);
    row.reason = ReauthReason::restored;
    EXPECT_THAT(explain(row, std::nullopt, now).remedy,
                ::testing::HasSubstr("connections release"));
    row.reason = ReauthReason::none;
    EXPECT_THAT(explain(row, std::nullopt, now).detail, ::testing::HasSubstr("newer version"));
}

TEST(Explain, D4_a_certificate_is_the_operators_business_and_an_access_list_the_customers) {
    auto row = row_in(ConnectionState::host_blocked);
    row.last_error = "tls_failed";
    EXPECT_EQ(explain(row, std::nullopt, now).who_must_act, "gateway_operator");
    row.last_error = "host_blocked";
    EXPECT_EQ(explain(row, std::nullopt, now).who_must_act, "customer_admin");
}

TEST(Explain, a_fault_of_the_registration_comes_first_and_names_its_next_try) {
    auto row = row_in(ConnectionState::active);
    row.next_attempt_at = now + 1h;
    Gatekeeper::AppFault const fault{ErrorCode::invalid_client, now - 1min, now + 2min, 1};
    auto const said = explain(row, fault, now);
    EXPECT_EQ(said.who_must_act, "app_operator");
    EXPECT_EQ(said.next_attempt_at, now + 2min);
    EXPECT_NE(said.summary.find("invalid_client"), std::string::npos);
    auto const ended = explain(row_in(ConnectionState::disconnected), fault, now);
    EXPECT_EQ(ended.who_must_act, "customer") << "it does not wait for us";
}

TEST(Explain, a_grant_without_refresh_token_is_told_with_its_end) {
    auto row = row_in(ConnectionState::active);
    row.sealed_refresh.clear();
    auto const said = explain(row, std::nullopt, now);
    EXPECT_EQ(said.who_must_act, "app_operator");
    EXPECT_NE(said.detail.find("offline_access"), std::string::npos);
}

TEST(Explain, failures_that_pass_are_told_with_their_count) {
    auto row = row_in(ConnectionState::active);
    row.fail_count = 3;
    row.last_error = "upstream_timeout";
    row.next_attempt_at = now + 30s;
    auto const said = explain(row, std::nullopt, now);
    EXPECT_NE(said.detail.find("3 tries"), std::string::npos);
    EXPECT_EQ(said.next_attempt_at, now + 30s);
    EXPECT_EQ(said.who_must_act, "nobody") << "it may be the network of either side";
    EXPECT_EQ(said.summary.find("Healthy"), std::string::npos);
    row.fail_count = 1;
    EXPECT_TRUE(explain(row, std::nullopt, now).detail.starts_with("The last try to refresh"));
}

TEST(Explain, the_next_try_is_named_as_it_will_be) {
    auto row = row_in(ConnectionState::active);
    row.fail_count = 1;
    row.next_attempt_at = now + 30s;
    row.refresh_due_at = now + 40min;
    EXPECT_NE(explain(row, std::nullopt, now).detail.find(to_rfc3339(now + 40min)),
              std::string::npos)
        << "a forced refresh failed: the usual one is not due yet";
    row.refresh_due_at = now - 1min;
    EXPECT_NE(explain(row, std::nullopt, now).detail.find(to_rfc3339(now + 30s)),
              std::string::npos);
}

}  // namespace
}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
// The refresh as conversations between callers, vault and token endpoint.
#include "tokens/refresher.h"

#include "unit/tokens/world.h"

namespace brickgate::testing {
namespace {

class Refreshing : public RefreshWorld {};

TEST_F(Refreshing, many_callers_make_one_refresh) {
    auto const row = connect("ada");
    clock.pass(59min + 30s);
    std::vector<std::string> seen;
    running();
    for (int i = 0; i < 1000; ++i) {
        timers.start(ask_later(row.id, seen));
    }
    timers.pass(5s);
    EXPECT_EQ(http.calls.size(), 1U);
    EXPECT_THAT(seen, ::testing::SizeIs(1000));
    EXPECT_THAT(seen, ::testing::Each("access-1"));
}

TEST_F(Refreshing, a_client_fault_leaves_no_back_off_on_the_connection) {
    auto const row = connect("ada");
    http.answer = [](auto const&) { return refused(401, "invalid_client"); };
    EXPECT_EQ(outcome_of(refresh(row)), "app_fault");
    auto const after = row_of(row);
    EXPECT_EQ(after.next_attempt_at, std::nullopt);
    EXPECT_EQ(after.fail_count, 0U);
    EXPECT_EQ(after.last_error, "");
    EXPECT_FALSE(after.intent);
    EXPECT_FALSE(after.lease.until);
    // The operator mends the secret and restarts.
    http.answer = nullptr;
    ASSERT_TRUE(restart());
    EXPECT_EQ(outcome_of(refresh(row)), "refreshed");
}

TEST_F(Refreshing, T28_only_a_host_that_the_operator_named_may_lie_at_any_address) {
    auto const listed = registration("reg_1");
    ASSERT_TRUE(listed->hosts.add(".corp.example"));
    ASSERT_TRUE(listed->hosts.add("named.corp.example"));
    registrations = {listed};
    for (std::string const name : {"any", "named"}) {
        auto const row = connect(name, "https://" + name + ".corp.example");
        EXPECT_EQ(outcome_of(refresh(row)), "refreshed");
        EXPECT_EQ(http.calls.back().egress.operator_listed, name == "named") << name;
    }
}

TEST_F(Refreshing, an_invalid_request_of_one_workspace_stops_no_other) {
    auto const odd = connect("odd");
    auto const other = connect("other", host_b);
    http.answer = [&](auto const& call) {
        return call.presented == "refresh-odd" ? refused(400, "invalid_request") : http.fresh();
    };
    EXPECT_EQ(outcome_of(refresh(odd)), "refresh_failed");
    EXPECT_EQ(outcome_of(refresh(other)), "refreshed");
    EXPECT_EQ(outcome_of(refresh(odd)), "refresh_pending");
    EXPECT_EQ(text_of(token(odd)), "access-odd");
}

TEST_F(Refreshing, D6_a_gateway_on_the_way_does_not_speak_for_the_server_behind_it) {
    struct Row {
        int status;
        Milliseconds least;
        Milliseconds most;
    };
    for (auto const& [status, least, most] :
         {Row{500, 1s, 3s}, Row{502, 29s, 30s}, Row{504, 29s, 30s}}) {
        auto const row = connect(std::to_string(status));
        http.answer = [status](auto const&) { return http_answer(status, "{}"); };
        EXPECT_EQ(outcome_of(refresh(row)), "refresh_pending");
        auto const wait = *row_of(row).next_attempt_at - clock.now();
        EXPECT_GE(wait, least) << status;
        EXPECT_LE(wait, most) << status;
    }
}

TEST_F(Refreshing, D7_an_answer_that_cannot_be_read_is_kept_and_raises_an_alarm) {
    auto const row = connect("ada");
    http.answer = [](auto const&) {
        return http_answer(200, R"({"access_token":"a","token_type":"mac"})");
    };
    EXPECT_EQ(outcome_of(refresh(row)), "refresh_pending");
    EXPECT_EQ(name_of(row_of(row)), "uncertain");
    EXPECT_THAT(event_types(), ::testing::ElementsAre("connection.protocol_error"));
    EXPECT_EQ(refresher->counters().protocol_error, 1U);
    EXPECT_EQ(spool.take_unresolved().size(), 1U);
}

TEST_F(Refreshing, a_connection_whose_access_token_was_lost_with_a_promotion_is_renewed) {
    auto const row = connect("ada");
    store.rows().connections.at(row.id.value()).sealed_access.clear();
    store.rows().connections.at(row.id.value()).access_expires_at = clock.now();
    EXPECT_EQ(text_of(token(row)), "access-1");
}

TEST_F(Refreshing, a_tokens_life_is_counted_from_the_question_not_from_the_answer) {
    auto const row = connect("ada");
    http.latency = [](auto const&) { return 19s; };
    auto const asked_at = clock.now();
    EXPECT_EQ(outcome_of(refresh(row)), "refreshed");
    EXPECT_EQ(row_of(row).access_expires_at, asked_at + 1h);
    EXPECT_EQ(token(row)->expires_at, asked_at + 1h);
}

TEST_F(Refreshing, a_token_that_databricks_refuses_by_now_is_not_handed_out) {
    auto const row = connect("ada");
    http.answer = [](auto const&) { return refused(503, "temporarily_unavailable"); };
    clock.pass(59min + 5s);
    EXPECT_EQ(text_of(token(row)), "access-ada");
    clock.pass(25s);
    EXPECT_EQ(text_of(token(row)), "refresh_pending");
}

TEST_F(Refreshing, a_grant_that_ended_by_the_clock_says_which_one) {
    auto const known = registration("reg_1");
    known->refresh_token_life = 24h * 7;
    registrations = {known};
    auto const row = connect("ada");
    EXPECT_EQ(outcome_of(refresh(row)), "refreshed");
    auto const expires_at = row_of(row).refresh_expires_at;
    ASSERT_TRUE(expires_at);
    EXPECT_NEAR(static_cast<double>((*expires_at - clock.now()).count()), 7 * 86'400'000.0, 1000.0);
    // An answer without a refresh token does not make the old one younger.
    http.answer = [](auto const&) {
        return http_answer(200, R"({"access_token":"a","token_type":"Bearer","expires_in":3600})");
    };
    clock.pass(24h);
    EXPECT_EQ(outcome_of(refresh(row)), "refreshed");
    EXPECT_EQ(row_of(row).refresh_expires_at, expires_at);
    clock.pass(24h * 7);
    http.answer = [](auto const&) { return refused(400, "invalid_grant"); };
    EXPECT_EQ(outcome_of(refresh(row)), "reauth_required");
    EXPECT_EQ(row_of(row).reason, ReauthReason::expired_idle);
}

TEST_F(Refreshing, D10_the_first_caller_and_every_later_one_hear_the_same_reason) {
    auto const row = connect("ada");
    http.answer = [](auto const&) { return refused(400, "invalid_grant"); };
    auto const first = refresh(row);
    ASSERT_FALSE(first);
    EXPECT_EQ(first.error().code(), ErrorCode::reauth_required);
    EXPECT_EQ(first.error().reason(), "revoked");
    EXPECT_EQ(refresh(row).error().reason(), "revoked");
    EXPECT_EQ(token(row).error().reason(), "revoked");
}

TEST_F(Refreshing, after_a_client_fault_a_row_with_an_open_intent_is_still_uncertain) {
    auto const row = connect("ada");
    http.answer = [](auto const&) {
        return broken(ErrorCode::upstream_unreachable, Sent::maybe_sent);
    };
    EXPECT_EQ(outcome_of(refresh(row)), "refresh_pending");
    clock.pass(1min);
    http.answer = [](auto const&) { return refused(401, "invalid_client"); };
    EXPECT_EQ(outcome_of(refresh(row)), "app_fault");
    EXPECT_EQ(name_of(row_of(row)), "uncertain");
    EXPECT_EQ(row_of(row).intent->presented, 1U);
}

// A person signs in anew while a refresh of the old family is in the air.
class ReconnectRace : public RefreshWorld {
 protected:
    ReconnectRace() {
        row_ = connect("ada");
        clock.pass(50min);
        running();
    }
    void sign_in_again() { again_ = connect("ada"); }
    Connection row_;
    Connection again_;
};

TEST_F(ReconnectRace, d_reconnect_race_the_sign_in_comes_first) {
    timers.start(refresh_later(row_.id, 1));
    sign_in_again();
    refresher->replaced(again_);
    timers.pass(5s);
    EXPECT_EQ(row_of(row_).family, 2U);
    EXPECT_THAT(token_in_memory(row_), ::testing::AnyOf("none", "access-ada"));
    EXPECT_EQ(text_of(token(row_)), "access-ada") << "the newest family wins";
    EXPECT_EQ(token(row_)->generation, 2U);
}

TEST_F(ReconnectRace, d_reconnect_race_the_answer_comes_first) {
    // The answer is in memory, and the sign-in commits before the refresh is saved.
    timers.start(refresh_later(row_.id, 1));
    spool.on_append = [&] { sign_in_again(); };
    timers.pass(5s);
    EXPECT_EQ(row_of(row_).family, 2U);
    refresher->replaced(again_);
    EXPECT_EQ(token_in_memory(row_), "none");
    EXPECT_EQ(text_of(token(row_)), "access-ada");
}

TEST_F(ReconnectRace, d_reconnect_race_a_save_that_finds_another_family_takes_back_what_it_told) {
    timers.start(refresh_later(row_.id, 1));
    spool.on_append = [&] { sign_in_again(); };
    timers.pass(5s);
    EXPECT_NE(token_in_memory(row_), "access-1");
}

TEST_F(Refreshing, a_database_that_is_away_when_the_answer_was_lost_brings_no_second_presentation) {
    auto const row = connect("ada");
    http.answer = [&](auto const&) {
        runner.down = true;
        return broken(ErrorCode::upstream_timeout, Sent::maybe_sent);
    };
    running();
    timers.start(refresh_later(row.id, 1));
    timers.pass(5s);
    runner.down = false;
    for (int second = 0; second < 20; ++second) {
        timers.start(refresh_later(row.id, 1));
        timers.pass(1s);
    }
    EXPECT_EQ(http.calls.size(), 1U) << "half a minute must pass";
    timers.pass(20s);
    http.answer = nullptr;
    EXPECT_EQ(outcome_of(refresh(row)), "refreshed");
    EXPECT_EQ(http.calls.size(), 2U);
}

TEST_F(Refreshing, SIGTERM_claims_nothing_any_more_and_finishes_what_is_in_the_air) {
    concurrency = 1;
    auto const first = connect("first");
    auto const queued = connect("queued", host_b);
    running();
    timers.start(refresh_later(first.id, 1));
    timers.start(refresh_later(queued.id, 1));
    refresher->stop_claiming();
    timers.pass(10s);
    EXPECT_EQ(http.presented(), std::vector<std::string>{"refresh-first"});
    EXPECT_EQ(row_of(first).generation, 2U);
    EXPECT_FALSE(row_of(queued).intent);
    EXPECT_EQ(refresher->in_flight(), 0U);
}

TEST_F(Refreshing, SIGTERM_between_reading_the_row_and_claiming_it_claims_nothing) {
    auto const row = connect("ada");
    running();
    int jobs = 0;
    runner.before = [&] {
        jobs += 1;
        refresher->stop_claiming();
    };
    EXPECT_EQ(outcome_of(refresh(row)), "shutting_down");
    EXPECT_EQ(jobs, 2);
    EXPECT_TRUE(http.calls.empty());
}

TEST_F(Refreshing, a_bad_record_is_told_as_such) {
    auto const row = connect("ada");
    store.rows().connections.at(row.id.value()).sealed_refresh[40] ^= 1;
    EXPECT_EQ(outcome_of(refresh(row)), "vault_error");
    EXPECT_TRUE(http.calls.empty());
}

TEST_F(Refreshing, a_bad_token_endpoint_does_not_hold_the_probe_of_its_host) {
    auto const bad = connect("bad", host_a, 1h, "reg_1", "https://evil.example/token");
    auto const good = connect("good");
    http.answer = [](auto const&) {
        return broken(ErrorCode::upstream_unreachable, Sent::not_sent);
    };
    for (int i = 0; i < 5; ++i) {
        (void)refresh(good);
        clock.pass(2min);
    }
    http.answer = nullptr;
    EXPECT_EQ(outcome_of(refresh(bad)), "refresh_pending") << "it was the probe";
    EXPECT_EQ(outcome_of(refresh(good)), "refreshed");
}

TEST_F(Refreshing, our_own_faults_are_not_the_hosts) {
    for (auto const code : {ErrorCode::request_aborted, ErrorCode::shutting_down,
                            ErrorCode::egress_denied, ErrorCode::internal}) {
        auto const row = connect(std::string(info_of(code).name));
        http.answer = [code](auto const&) { return broken(code, Sent::not_sent); };
        for (int i = 0; i < 6; ++i) {
            (void)refresh(row);
            clock.pass(2min);
        }
        EXPECT_FALSE(refresher->gatekeeper().open(host_a, clock.now() - 2min))
            << info_of(code).name;
    }
}

}  // namespace
}  // namespace brickgate::testing

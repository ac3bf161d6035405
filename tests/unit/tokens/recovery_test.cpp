// SPDX-License-Identifier: Apache-2.0
// What a run finds that comes after a crash: open intents and spooled answers (D.6).
#include "unit/tokens/world.h"

namespace brickgate::testing {
namespace {

class Recovery : public RefreshWorld {
 protected:
    // Claims as a run that died then and there would have left it.
    Connection claimed(Connection const& row, std::string const& attempt = "attempt-1") {
        ClaimRequest request{row.id,   row.family, row.generation, "node_a",
                             "boot-1", attempt,    clock.now(),    60s};
        return run_task(vault->claim(std::move(request))).value().value().row;
    }
    void spooled(Connection const& row, std::string const& attempt, HttpAnswer answer,
                 std::uint64_t generation = 0) {
        SpoolIdentity identity{SpoolKind::refresh, row.id.value(), row.family,
                               generation > 0 ? generation : row.generation, attempt};
        auto const kept = run_task(
            spool.append(nullptr, std::move(identity), clock.now(), encode_answer(*answer)));
        ASSERT_TRUE(kept);
    }
    static HttpAnswer answer_without_refresh_token() {
        return http_answer(
            200, R"({"access_token":"access-new","token_type":"Bearer","expires_in":3600})");
    }
    std::size_t left_in_spool() { return spool.take_unresolved().size(); }
};

TEST_F(Recovery, K9_a_spooled_answer_is_kept_and_nothing_is_presented) {
    auto const row = claimed(connect("ada"));
    spooled(row, "attempt-1", http.fresh());
    ASSERT_TRUE(restart());
    EXPECT_EQ(row_of(row).generation, 2U);
    EXPECT_EQ(text_of(token(row)), "access-1");
    EXPECT_EQ(left_in_spool(), 0U);
    EXPECT_TRUE(http.calls.empty());
}

TEST_F(Recovery, K2_without_an_answer_the_token_is_presented_once_more_half_a_minute_later) {
    auto const row = claimed(connect("ada"));
    auto const claimed_at = clock.now();
    clock.pass(5s);
    ASSERT_TRUE(restart());
    EXPECT_EQ(name_of(row_of(row)), "uncertain");
    EXPECT_EQ(row_of(row).next_attempt_at, claimed_at + 30s);
    EXPECT_EQ(outcome_of(refresh(row)), "refresh_pending");
    clock.pass(30s);
    EXPECT_EQ(outcome_of(refresh(row)), "refreshed");
}

TEST_F(Recovery, an_answer_of_the_family_before_is_settled) {
    auto const row = claimed(connect("ada"));
    spooled(row, "attempt-1", http.fresh());
    connect("ada");
    ASSERT_TRUE(restart());
    EXPECT_EQ(text_of(token(row)), "access-ada");
    EXPECT_EQ(left_in_spool(), 0U);
}

TEST_F(Recovery, a_refresh_token_that_does_not_open_is_no_loss_where_the_answer_brings_another) {
    auto const row = claimed(connect("ada"));
    store.rows().connections.at(row.id.value()).sealed_refresh[40] ^= 1;
    spooled(row, "attempt-1", http.fresh());
    ASSERT_TRUE(restart());
    EXPECT_EQ(row_of(row).generation, 2U);
    EXPECT_EQ(outcome_of(refresh(row)), "refreshed") << "the new one opens";
}

TEST_F(Recovery, a_refresh_token_that_does_not_open_is_one_connections_trouble) {
    auto const bad = claimed(connect("bad"));
    auto const good = claimed(connect("good"));
    store.rows().connections.at(bad.id.value()).sealed_refresh[40] ^= 1;
    spooled(bad, "attempt-1", answer_without_refresh_token());
    spooled(good, "attempt-1", http.fresh());
    ASSERT_TRUE(restart());
    EXPECT_EQ(row_of(bad).generation, 1U);
    EXPECT_EQ(row_of(good).generation, 2U);
    EXPECT_EQ(left_in_spool(), 1U) << "an operator may still get a token out of it";
}

TEST_F(Recovery, a_crash_during_the_repeat_waits_until_the_old_token_is_nearly_over) {
    auto const row = claimed(claimed(connect("ada"), "attempt-1"), "attempt-2");
    ASSERT_EQ(row.intent->presented, 2U);
    ASSERT_TRUE(restart());
    EXPECT_EQ(row_of(row).next_attempt_at, row.access_expires_at - 60s);
}

TEST_F(Recovery, a_good_answer_is_kept_though_a_later_attempt_has_the_intent) {
    auto const row = claimed(claimed(connect("ada"), "attempt-1"), "attempt-2");
    spooled(row, "attempt-1", http.fresh());
    ASSERT_TRUE(restart());
    EXPECT_EQ(row_of(row).generation, 2U);
    EXPECT_EQ(text_of(token(row)), "access-1");
    EXPECT_EQ(left_in_spool(), 0U);
}

TEST_F(Recovery, a_good_answer_is_kept_though_the_intent_was_cleared) {
    auto const row = connect("ada");
    spooled(row, "attempt-1", http.fresh());
    ASSERT_TRUE(restart());
    EXPECT_EQ(row_of(row).generation, 2U);
    EXPECT_EQ(left_in_spool(), 0U);
}

TEST_F(Recovery, a_refusal_of_an_earlier_attempt_ends_nothing_and_presents_nothing) {
    auto const row = claimed(claimed(connect("ada"), "attempt-1"), "attempt-2");
    spooled(row, "attempt-1", refused(400, "invalid_grant"));
    ASSERT_TRUE(restart());
    EXPECT_EQ(name_of(row_of(row)), "uncertain");
    EXPECT_TRUE(http.calls.empty());
}

TEST_F(Recovery, an_answer_of_a_generation_that_the_database_does_not_know_is_kept_and_told) {
    auto const row = connect("ada");  // as an older copy of the database has it
    spooled(row, "attempt-7", http.fresh(), 7);
    ASSERT_TRUE(restart());
    EXPECT_EQ(row_of(row).generation, 1U);
    EXPECT_EQ(left_in_spool(), 1U);
    EXPECT_EQ(refresher->counters().spool_ahead, 1U);
}

// The note that an answer is done with goes to the disk a moment later.
TEST_F(Recovery, a_busy_server_that_was_noted_before_the_crash_is_not_noted_twice) {
    auto const row = connect("ada");
    http.answer = [](auto const&) { return broken(ErrorCode::upstream_timeout, Sent::maybe_sent); };
    EXPECT_EQ(outcome_of(refresh(row)), "refresh_pending");
    clock.pass(1min);
    http.answer = [](auto const&) { return http_answer(503, "{}"); };
    EXPECT_EQ(outcome_of(refresh(row)), "refresh_pending");
    spool.settled.clear();
    ASSERT_TRUE(restart());
    EXPECT_EQ(name_of(row_of(row)), "uncertain");
    clock.pass(1min);
    http.answer = [](auto const&) { return refused(400, "invalid_grant"); };
    EXPECT_EQ(outcome_of(refresh(row)), "reauth_required");
    EXPECT_EQ(row_of(row).reason, ReauthReason::outcome_lost) << "the first answer was lost";
}

TEST_F(Recovery, an_answer_that_another_node_was_faster_than_is_kept_beside_its_token) {
    auto const row = claimed(connect("ada"));
    spooled(row, "attempt-1", http.fresh());
    // An operator let it go on elsewhere.
    ASSERT_EQ(run_task(vault->save(row, "attempt-of-b", tokens("b"), nullptr, {}))->outcome,
              SaveOutcome::saved);
    ASSERT_TRUE(restart());
    EXPECT_EQ(row_of(row).generation, 2U);
    EXPECT_EQ(left_in_spool(), 0U);
    http.answer = [this](auto const& call) {
        return call.presented == "refresh-1" ? http.fresh() : refused(400, "invalid_grant");
    };
    EXPECT_EQ(outcome_of(refresh(row)), "refreshed");
    EXPECT_THAT(http.presented(), ::testing::ElementsAre("refresh-b"));
    EXPECT_EQ(outcome_of(refresh(row)), "refreshed");
    EXPECT_THAT(http.presented(), ::testing::ElementsAre("refresh-b", "refresh-1"));
}

TEST_F(Recovery, an_answer_that_brought_no_refresh_token_is_not_kept_beside_another) {
    auto const row = claimed(connect("ada"));
    spooled(row, "attempt-1", answer_without_refresh_token());
    ASSERT_TRUE(run_task(vault->save(row, "attempt-of-b", tokens("b"), nullptr, {})));
    ASSERT_TRUE(restart());
    EXPECT_TRUE(row_of(row).sealed_alt_refresh.empty());
    EXPECT_EQ(left_in_spool(), 0U);
}

TEST_F(Recovery, an_answer_that_was_saved_before_the_crash_is_settled) {
    auto const row = claimed(connect("ada"));
    spooled(row, "attempt-1", http.fresh());
    ASSERT_TRUE(run_task(vault->save(row, "attempt-1", tokens("1"), nullptr, {})));
    ASSERT_TRUE(restart());
    EXPECT_TRUE(row_of(row).sealed_alt_refresh.empty());
    EXPECT_EQ(left_in_spool(), 0U);
}

TEST_F(Recovery, an_answer_that_comes_after_the_grant_was_given_up_brings_it_back) {
    auto const row = claimed(connect("ada"));
    spooled(row, "attempt-1", http.fresh());
    ASSERT_TRUE(run_task(vault->save(row, "attempt-of-b", tokens("b"), nullptr, {})));
    http.answer = [](auto const&) { return refused(400, "invalid_grant"); };
    EXPECT_EQ(outcome_of(refresh(row)), "reauth_required");
    ASSERT_TRUE(restart());
    EXPECT_EQ(name_of(row_of(row)), "active");
    EXPECT_EQ(text_of(token(row)), "access-1");
    EXPECT_EQ(event_types().back(), "connection.recovered");
}

TEST_F(Recovery, answers_that_told_nothing_are_settled_with_their_generation) {
    auto const row = connect("ada");
    http.answer = [](auto const&) { return http_answer(500, "{}"); };
    EXPECT_EQ(outcome_of(refresh(row)), "refresh_pending");
    EXPECT_EQ(left_in_spool(), 1U) << "it may yet be of use";
    clock.pass(5s);
    http.answer = nullptr;
    EXPECT_EQ(outcome_of(refresh(row)), "refreshed");
    EXPECT_EQ(left_in_spool(), 0U);
}

TEST_F(Recovery, answers_that_told_nothing_are_settled_by_the_next_run_too) {
    auto const row = connect("ada");
    http.answer = [](auto const&) { return http_answer(500, "{}"); };
    EXPECT_EQ(outcome_of(refresh(row)), "refresh_pending");
    ASSERT_TRUE(restart());
    clock.pass(1min);
    http.answer = nullptr;
    EXPECT_EQ(outcome_of(refresh(row)), "refreshed");
    EXPECT_EQ(left_in_spool(), 0U);
}

}  // namespace
}  // namespace brickgate::testing

// SPDX-License-Identifier: Apache-2.0
// The refresh protocol as conversations: what happened, and what must be done next.
#include "tokens/refresh_machine.h"

#include <gtest/gtest.h>

namespace brickgate::refresh {
namespace {

using namespace std::chrono_literals;

class Conversation : public testing::Test {
 protected:
    Conversation() {
        row_.id = ConnectionId("con_00000000000000000000000000000001");
        row_.state = ConnectionState::active;
        row_.generation = 7;
        row_.sealed_refresh = "sealed";
        row_.access_expires_at = wall_ + 20min;
    }

    Action when(Event const& event) { return machine_.step(event, {wall_, steady_, 0.5}); }
    Action loaded() { return when(Loaded{row_}); }
    void pass(Milliseconds time) {
        wall_ += time;
        steady_ += time;
    }
    Connection claimed_row(unsigned presented = 1) {
        row_.lease.epoch += 1;
        row_.intent = Intent{"node", "boot", "attempt", row_.generation, wall_, presented};
        return row_;
    }
    void reach_send(unsigned presented = 1) {
        when(Start{});
        loaded();
        when(Claimed{claimed_row(presented)});
    }
    void reach_parse(unsigned presented = 1) {
        reach_send(presented);
        when(Answered{});
        when(Spooled{});
    }
    template <class T>
    T expect(Action const& action) {
        EXPECT_TRUE(std::holds_alternative<T>(action))
            << "another action: index " << action.index();
        return std::holds_alternative<T>(action) ? std::get<T>(action) : T{};
    }

    Time wall_ = Time(1'000'000s);
    Instant steady_{5'000'000ms};
    Connection row_;
    Machine machine_{7, RefreshPolicy{}};
};

TEST_F(Conversation, the_way_through_spools_before_it_parses_and_publishes_before_it_saves) {
    expect<Load>(when(Start{}));
    expect<Claim>(loaded());
    expect<Send>(when(Claimed{claimed_row()}));
    expect<SpoolAnswer>(when(Answered{}));
    expect<Parse>(when(Spooled{}));
    expect<Publish>(when(Parsed{AnswerClass::success}));
    expect<Save>(when(Tick{}));
    expect<Done>(when(Saved{SaveOutcome::saved}));
}

TEST_F(Conversation, a_row_that_is_newer_already_is_taken_as_it_is) {
    when(Start{});
    row_.generation = 8;
    expect<Done>(loaded());
}

TEST_F(Conversation, a_stalled_node_must_not_send_later_than_25_seconds_after_its_claim_began) {
    when(Start{});
    loaded();
    Instant const claim_began = steady_;
    pass(10s);  // the commit of the claim took its time
    auto const send = expect<Send>(when(Claimed{claimed_row()}));
    EXPECT_EQ(send.not_after, claim_began + 25s);
}

TEST_F(Conversation, ended_grants_are_never_presented) {
    struct Row {
        ConnectionState state;
        ErrorCode code;
    };
    for (auto const& [state, code] :
         {Row{ConnectionState::reauth_required, ErrorCode::reauth_required},
          Row{ConnectionState::quarantined, ErrorCode::quarantined},
          Row{ConnectionState::disconnected, ErrorCode::disconnected},
          Row{ConnectionState::pending, ErrorCode::connection_pending}}) {
        Machine machine{7, RefreshPolicy{}};
        machine.step(Start{}, {wall_, steady_, 0.5});
        row_.state = state;
        auto const action = machine.step(Loaded{row_}, {wall_, steady_, 0.5});
        ASSERT_TRUE(std::holds_alternative<GiveUp>(action));
        EXPECT_EQ(std::get<GiveUp>(action).code, code);
    }
}

TEST_F(Conversation, a_back_off_is_respected_and_told) {
    when(Start{});
    row_.next_attempt_at = wall_ + 90s;
    auto const end = expect<GiveUp>(loaded());
    EXPECT_EQ(end.code, ErrorCode::refresh_pending);
    EXPECT_EQ(end.retry_after, Seconds(90));
}

TEST_F(Conversation, while_somebody_else_refreshes_it_polls_and_takes_what_they_got) {
    when(Start{});
    loaded();
    EXPECT_EQ(expect<Wait>(when(NotClaimed{})).wait, 200ms);
    expect<Load>(when(Tick{}));
    row_.generation = 8;
    expect<Done>(loaded());
}

TEST_F(Conversation, D9_it_waits_for_its_turn_and_looks_again) {
    when(Start{});
    loaded();
    EXPECT_EQ(expect<Wait>(when(NotAdmitted{ErrorCode::refresh_pending, 180ms})).wait, 180ms);
    expect<Load>(when(Tick{}));
    expect<Claim>(loaded());
    pass(26s);
    EXPECT_EQ(expect<GiveUp>(when(NotAdmitted{ErrorCode::refresh_pending, 180ms})).code,
              ErrorCode::refresh_pending);
}

TEST_F(Conversation, it_does_not_poll_for_ever) {
    when(Start{});
    loaded();
    when(NotClaimed{});
    pass(26s);
    when(Tick{});
    loaded();
    EXPECT_EQ(expect<GiveUp>(when(NotClaimed{})).code, ErrorCode::refresh_pending);
}

TEST_F(Conversation, a_full_spool_refuses_before_the_claim) {
    when(Start{});
    loaded();
    EXPECT_EQ(expect<GiveUp>(when(NotAdmitted{ErrorCode::spool_full, 10s})).code,
              ErrorCode::spool_full);
}

TEST_F(Conversation, nothing_left_us_means_nothing_was_spent) {
    reach_send();
    auto const write = expect<WriteBackOff>(when(NotSent{ErrorCode::upstream_unreachable}));
    EXPECT_EQ(write.back_off.spent, Spent::no);
    EXPECT_EQ(write.back_off.next_attempt_at, wall_ + 1s);
    EXPECT_EQ(expect<GiveUp>(when(BackedOff{})).code, ErrorCode::refresh_pending);
}

TEST_F(Conversation, an_answer_that_was_cut_off_keeps_the_intent_and_is_retried_after_two_seconds) {
    reach_send();
    auto const write = expect<WriteBackOff>(when(MaybeSent{ErrorCode::upstream_unreachable, true}));
    EXPECT_EQ(write.back_off.spent, Spent::maybe);
    EXPECT_EQ(write.back_off.next_attempt_at, wall_ + 2s);
}

TEST_F(Conversation, after_a_time_out_the_intent_must_be_half_a_minute_old) {
    reach_send();
    pass(20s);
    auto const write = expect<WriteBackOff>(when(MaybeSent{ErrorCode::upstream_timeout, false}));
    EXPECT_EQ(write.back_off.next_attempt_at, wall_ + 10s);
}

TEST_F(Conversation, a_second_unknown_outcome_waits_until_the_old_token_is_nearly_over) {
    reach_send(2);
    auto const write = expect<WriteBackOff>(when(MaybeSent{ErrorCode::upstream_unreachable, true}));
    EXPECT_EQ(write.back_off.next_attempt_at, row_.access_expires_at - 60s);
}

TEST_F(Conversation, an_answer_in_hand_is_saved_however_long_the_database_is_away) {
    reach_parse();
    when(Parsed{AnswerClass::success});
    expect<Save>(when(Tick{}));
    for (int i = 0; i < 200; ++i) {
        auto const pause = expect<Wait>(when(StoreDown{ErrorCode::store_unavailable})).wait;
        EXPECT_LE(pause, 10s);
        pass(pause);
        expect<Save>(when(Tick{}));
    }
    expect<Done>(when(Saved{SaveOutcome::saved}));
}

TEST_F(Conversation, an_answer_that_could_not_be_spooled_is_saved_but_not_published_first) {
    reach_send();
    when(Answered{});
    expect<Parse>(when(SpoolFailed{}));
    expect<Save>(when(Parsed{AnswerClass::success}));
    expect<Done>(when(Saved{SaveOutcome::saved}));
}

TEST_F(Conversation, a_good_answer_that_came_too_late_yields_to_the_newer_one) {
    reach_parse();
    when(Parsed{AnswerClass::success});
    when(Tick{});
    expect<Load>(when(Saved{SaveOutcome::superseded}));
    row_.generation = 9;
    expect<Done>(loaded());
}

TEST_F(Conversation, a_token_that_comes_after_the_grant_was_given_up_takes_its_place) {
    reach_parse();
    when(Parsed{AnswerClass::success});
    when(Tick{});
    when(Saved{SaveOutcome::superseded});
    row_.generation = 8;
    row_.state = ConnectionState::reauth_required;
    row_.sealed_alt_refresh = "sealed";
    expect<Save>(loaded());
    expect<Done>(when(Saved{SaveOutcome::saved}));
}

TEST_F(Conversation, an_answer_without_a_token_of_its_own_does_not_bring_a_grant_back) {
    reach_parse();
    when(Parsed{AnswerClass::success});
    when(Tick{});
    when(Saved{SaveOutcome::superseded});
    row_.generation = 8;
    row_.state = ConnectionState::reauth_required;
    EXPECT_EQ(expect<GiveUp>(loaded()).code, ErrorCode::reauth_required);
}

TEST_F(Conversation, the_reason_of_a_dead_grant_says_what_killed_it) {
    reach_parse(1);
    EXPECT_EQ(expect<Fail>(when(Parsed{AnswerClass::grant_dead, ErrorCode::invalid_grant})).reason,
              ReauthReason::revoked);
    auto const end = expect<GiveUp>(when(FailureWritten{}));
    EXPECT_EQ(end.code, ErrorCode::reauth_required);
    EXPECT_EQ(end.reason, ReauthReason::revoked) << "the first caller is told it too";
}

TEST_F(Conversation, invalid_grant_after_an_unknown_outcome_is_outcome_lost_and_not_revoked) {
    reach_parse(2);
    EXPECT_EQ(expect<Fail>(when(Parsed{AnswerClass::grant_dead, ErrorCode::invalid_grant})).reason,
              ReauthReason::outcome_lost);
}

TEST_F(Conversation, clocks_that_ran_out_are_named) {
    row_.session_ends_at = wall_ - 1s;
    reach_parse();
    EXPECT_EQ(expect<Fail>(when(Parsed{AnswerClass::grant_dead, ErrorCode::invalid_grant})).reason,
              ReauthReason::session_ended);
}

TEST_F(Conversation, T74_what_came_from_a_backup_and_is_refused_says_so) {
    row_.reason = ReauthReason::restored;  // it was released, and this is the first refresh
    row_.session_ends_at = wall_ - 1s;
    reach_parse(2);
    EXPECT_EQ(expect<Fail>(when(Parsed{AnswerClass::grant_dead, ErrorCode::invalid_grant})).reason,
              ReauthReason::restored);
}

TEST_F(Conversation, a_failure_that_was_fenced_out_reads_again) {
    reach_parse();
    when(Parsed{AnswerClass::grant_dead, ErrorCode::invalid_grant});
    expect<Load>(when(FailureWritten{.fenced_out = true}));
}

TEST_F(Conversation, a_failure_that_cannot_be_written_is_written_later) {
    reach_parse();
    when(Parsed{AnswerClass::grant_dead, ErrorCode::invalid_grant});
    expect<Wait>(when(StoreDown{ErrorCode::store_unavailable}));
    EXPECT_EQ(expect<Fail>(when(Tick{})).reason, ReauthReason::revoked);
}

TEST_F(Conversation, a_wrong_client_secret_kills_no_grant) {
    reach_parse();
    auto const write =
        expect<WriteBackOff>(when(Parsed{AnswerClass::client_fault, ErrorCode::invalid_client}));
    EXPECT_EQ(write.back_off.spent, Spent::no);
    EXPECT_FALSE(write.back_off.counts);
    EXPECT_EQ(expect<GiveUp>(when(BackedOff{})).code, ErrorCode::app_fault);
}

TEST_F(Conversation, an_error_that_nobody_knows_holds_back_this_connection_only) {
    row_.fail_count = 2;
    reach_parse();
    auto const write =
        expect<WriteBackOff>(when(Parsed{AnswerClass::refused, ErrorCode::authorize_failed}));
    EXPECT_EQ(write.back_off.spent, Spent::no);
    EXPECT_TRUE(write.back_off.counts);
    EXPECT_EQ(write.back_off.next_attempt_at, wall_ + 4min);
    EXPECT_EQ(expect<GiveUp>(when(BackedOff{})).code, ErrorCode::refresh_failed);
}

TEST_F(Conversation, D7_retry_after_of_a_429_is_the_least_wait_and_is_spread) {
    reach_parse();
    auto const write = expect<WriteBackOff>(
        when(Parsed{AnswerClass::not_spent, ErrorCode::rate_limited, Seconds(17)}));
    EXPECT_EQ(write.back_off.spent, Spent::no);
    EXPECT_EQ(write.back_off.next_attempt_at, wall_ + 18'700ms);
}

TEST_F(Conversation, a_retry_after_of_a_day_does_not_outlast_the_token) {
    reach_parse();
    auto const write = expect<WriteBackOff>(
        when(Parsed{AnswerClass::not_spent, ErrorCode::temporarily_unavailable, Seconds(86400)}));
    EXPECT_EQ(write.back_off.next_attempt_at, row_.access_expires_at - 60s);
}

TEST_F(Conversation, an_ip_access_list_blocks_the_host_and_not_the_grant) {
    reach_parse();
    auto const write =
        expect<WriteBackOff>(when(Parsed{AnswerClass::host_blocked, ErrorCode::host_blocked}));
    EXPECT_EQ(write.back_off.state, ConnectionState::host_blocked);
    EXPECT_EQ(write.back_off.spent, Spent::no);
}

TEST_F(Conversation, T30_a_redirect_leaves_the_connection_as_it_is) {
    reach_parse();
    auto const write = expect<WriteBackOff>(
        when(Parsed{AnswerClass::host_misconfigured, ErrorCode::host_misconfigured}));
    EXPECT_EQ(write.back_off.state, std::nullopt);
    EXPECT_EQ(write.back_off.spent, Spent::no);
    EXPECT_EQ(write.back_off.next_attempt_at, wall_ + 1min);
    EXPECT_EQ(expect<GiveUp>(when(BackedOff{})).code, ErrorCode::host_misconfigured);
}

TEST_F(Conversation, D4_a_certificate_that_is_not_trusted_blocks_the_host) {
    reach_send();
    auto const write = expect<WriteBackOff>(when(NotSent{ErrorCode::tls_failed}));
    EXPECT_EQ(write.back_off.state, ConnectionState::host_blocked);
    EXPECT_EQ(write.back_off.spent, Spent::no);
    EXPECT_EQ(write.back_off.next_attempt_at, wall_ + 1s);
    EXPECT_EQ(expect<GiveUp>(when(BackedOff{})).code, ErrorCode::host_blocked);
}

TEST_F(Conversation, a_login_page_with_200_may_have_spent_the_token) {
    reach_parse();
    auto const write = expect<WriteBackOff>(
        when(Parsed{AnswerClass::host_blocked, ErrorCode::host_blocked, std::nullopt, true}));
    EXPECT_EQ(write.back_off.spent, Spent::maybe);
}

TEST_F(Conversation, a_replayed_answer_goes_straight_to_the_parser_and_never_to_the_network) {
    expect<Parse>(when(Replayed{claimed_row()}));
    expect<Publish>(when(Parsed{AnswerClass::success}));
    expect<Save>(when(Tick{}));
    expect<Done>(when(Saved{SaveOutcome::already_saved}));
}

TEST_F(Conversation, a_record_that_does_not_open_is_told_and_not_waited_for) {
    when(Start{});
    loaded();
    EXPECT_EQ(expect<GiveUp>(when(VaultFailed{ErrorCode::vault_error})).code,
              ErrorCode::vault_error);
}

TEST_F(Conversation, a_replayed_refusal_that_is_fenced_out_presents_nothing) {
    when(Replayed{claimed_row()});
    expect<Fail>(when(Parsed{AnswerClass::grant_dead, ErrorCode::invalid_grant}));
    expect<Load>(when(FailureWritten{.fenced_out = true}));
    EXPECT_EQ(expect<GiveUp>(loaded()).code, ErrorCode::refresh_pending);
}

TEST_F(Conversation, a_database_that_is_down_before_the_claim_ends_the_flight) {
    when(Start{});
    EXPECT_EQ(expect<GiveUp>(when(StoreDown{ErrorCode::store_unavailable})).code,
              ErrorCode::store_unavailable);
}

TEST_F(Conversation, a_back_off_that_cannot_be_written_is_written_later) {
    reach_send();
    auto const write = expect<WriteBackOff>(when(MaybeSent{ErrorCode::upstream_unreachable, true}));
    for (int i = 0; i < 50; ++i) {
        auto const pause = expect<Wait>(when(StoreDown{ErrorCode::store_unavailable})).wait;
        pass(pause);
        auto const again = expect<WriteBackOff>(when(Tick{}));
        EXPECT_EQ(again.back_off.next_attempt_at, write.back_off.next_attempt_at);
        EXPECT_EQ(again.back_off.spent, Spent::maybe);
    }
    EXPECT_EQ(expect<GiveUp>(when(BackedOff{})).code, ErrorCode::refresh_pending);
}

}  // namespace
}  // namespace brickgate::refresh

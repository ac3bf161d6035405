// SPDX-License-Identifier: Apache-2.0
#pragma once
// The refresh protocol's statements (security design D.5): claim, save, back-off, failure.
#include "unit/vault/store_conformance.h"

namespace brickgate::testing {

template <class Backend>
class StoreClaims : public StoreConformance<Backend> {};
TYPED_TEST_SUITE_P(StoreClaims);

TYPED_TEST_P(StoreClaims, a_claim_leaves_epoch_lease_and_intent) {
    auto const row = this->insert(sample());
    auto const claimed = this->claim(claim_of(row));
    ASSERT_TRUE(claimed);
    EXPECT_EQ(claimed->lease.node, "node_a");
    EXPECT_EQ(claimed->lease.epoch, 1U);
    EXPECT_EQ(claimed->lease.until, now + Seconds(60));
    ASSERT_TRUE(claimed->intent);
    EXPECT_EQ(claimed->intent->node, "node_a");
    EXPECT_EQ(claimed->intent->boot, "boot");
    EXPECT_EQ(claimed->intent->attempt, "try1");
    EXPECT_EQ(claimed->intent->generation, row.generation);
    EXPECT_EQ(claimed->intent->at, now);
    EXPECT_EQ(claimed->intent->presented, 1U);
    EXPECT_EQ(claimed->state, ConnectionState::active);
    EXPECT_EQ(claimed->sealed_refresh, row.sealed_refresh);
    this->backend_.reopen();
    EXPECT_EQ(text_of(this->find(row).value()), text_of(*claimed));
}

TYPED_TEST_P(StoreClaims, a_claim_names_the_family_and_the_generation) {
    auto const row = this->insert(sample());
    auto stranger = sample("2");
    auto older = row;
    older.generation -= 1;
    auto newer = row;
    newer.generation += 1;
    auto other_family = row;
    other_family.family += 1;
    for (auto const& wrong : {stranger, older, newer, other_family}) {
        EXPECT_FALSE(this->claim(claim_of(wrong)));
    }
    EXPECT_EQ(text_of(this->find(row).value()), text_of(row));
}

TYPED_TEST_P(StoreClaims, only_states_that_can_refresh_are_claimed) {
    int name = 0;
    for (auto const [state, claimable] : {std::pair(ConnectionState::pending, false),
                                          {ConnectionState::active, true},
                                          {ConnectionState::uncertain, true},
                                          {ConnectionState::host_blocked, true},
                                          {ConnectionState::reauth_required, false},
                                          {ConnectionState::quarantined, false},
                                          {ConnectionState::disconnected, false}}) {
        auto row = sample(std::to_string(++name));
        row.state = state;
        this->insert(row);
        auto const claimed = this->claim(claim_of(row));
        EXPECT_EQ(claimed.has_value(), claimable) << to_string(state);
        if (claimed) {
            EXPECT_EQ(claimed->state, state) << "a first presentation changes no state";
        }
    }
}

TYPED_TEST_P(StoreClaims, a_back_off_holds_a_claim_until_its_moment) {
    int name = 0;
    for (auto const [wait, claimable] :
         {std::pair(-1 * ms, true), {0 * ms, true}, {1 * ms, false}}) {
        auto row = sample(std::to_string(++name));
        row.next_attempt_at = now + wait;
        this->insert(row);
        EXPECT_EQ(this->claim(claim_of(row)).has_value(), claimable) << wait.count();
    }
}

TYPED_TEST_P(StoreClaims, a_claim_ignores_the_schedule) {
    auto row = sample();
    row.refresh_due_at = now + Seconds(100'000);
    this->insert(row);
    EXPECT_TRUE(this->claim(claim_of(row)));
}

// Every lease beside every intent: a claim needs both to let it in, and neither replaces the other.
TYPED_TEST_P(StoreClaims, lease_and_owner_held_intent_each_refuse_alone) {
    struct Lease {
        std::string_view what, node;
        std::optional<Milliseconds> left;
        bool lets_in;
    };
    static constexpr std::array leases{Lease{"no lease", "", std::nullopt, true},
                                       Lease{"own lease", "node_a", 5000 * ms, true},
                                       Lease{"own lease, over", "node_a", -1 * ms, true},
                                       Lease{"another's lease", "node_b", 5000 * ms, false},
                                       Lease{"another's, last moment", "node_b", 0 * ms, false},
                                       Lease{"another's, over", "node_b", -1 * ms, true}};
    struct Held {
        std::string_view what, node;
        int generation;  // beside the row's
        bool lets_in, open;
    };
    static constexpr std::array intents{Held{"no intent", "", 0, true, false},
                                        Held{"own intent", "node_a", 0, true, true},
                                        Held{"own, older", "node_a", -1, true, false},
                                        Held{"another's intent", "node_b", 0, false, true},
                                        Held{"another's, older", "node_b", -1, true, false},
                                        Held{"another's, newer", "node_b", 1, false, false}};
    int name = 0;
    for (auto const& lease : leases) {
        for (auto const& intent : intents) {
            SCOPED_TRACE(std::string(lease.what) + ", " + std::string(intent.what));
            auto const row = this->insert(sample(std::to_string(++name)));
            if (lease.left) {
                this->backend_.put_lease(row.id, std::string(lease.node), now + *lease.left);
            }
            if (!intent.node.empty()) {
                this->backend_.put_intent(
                    row.id, std::string(intent.node),
                    static_cast<std::uint64_t>(static_cast<std::int64_t>(row.generation) +
                                               intent.generation));
            }
            auto const before = text_of(this->find(row).value());
            auto const claimed = this->claim(claim_of(row));
            EXPECT_EQ(claimed.has_value(), lease.lets_in && intent.lets_in);
            if (!claimed) {
                EXPECT_EQ(text_of(this->find(row).value()), before);
                continue;
            }
            EXPECT_EQ(claimed->intent->presented, intent.open ? 2U : 1U);
            EXPECT_EQ(claimed->state,
                      intent.open ? ConnectionState::uncertain : ConnectionState::active);
            EXPECT_EQ(claimed->state_since, intent.open ? now : row.state_since);
        }
    }
}

TYPED_TEST_P(StoreClaims, another_node_never_presents_an_unresolved_generation) {
    auto const row = this->insert(sample());
    ASSERT_TRUE(this->claim(claim_of(row)));
    auto const a_day_later = now + std::chrono::hours(24);
    EXPECT_FALSE(this->claim(claim_of(row, "node_b", "try2", a_day_later)));
    auto const again = this->claim(claim_of(row, "node_a", "try3", a_day_later));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->intent->presented, 2U);
    EXPECT_EQ(again->lease.epoch, 2U);
    EXPECT_EQ(again->state, ConnectionState::uncertain);
}

TYPED_TEST_P(StoreClaims, a_save_moves_the_generation_and_clears_the_claim) {
    auto row = sample();
    row.fail_count = 4;
    row.last_error = "server_error";
    row.same_refresh_token_count = 2;
    this->insert(row);
    ASSERT_TRUE(this->keep_alternative(row, "other"));
    ASSERT_TRUE(this->claim(claim_of(row)));
    EXPECT_EQ(this->save(save_of(row)), SaveOutcome::saved);
    this->backend_.reopen();
    auto const saved = this->find(row).value();
    EXPECT_EQ(saved.generation, row.generation + 1);
    EXPECT_EQ(saved.sealed_access, "new access");
    EXPECT_EQ(saved.sealed_refresh, "new refresh");
    EXPECT_EQ(saved.sealed_alt_refresh, "");
    EXPECT_EQ(saved.previous_fingerprint, "bb");
    EXPECT_EQ(saved.current_fingerprint, "cc");
    EXPECT_EQ(saved.scopes, row.scopes) << "absent scopes are the old ones";
    EXPECT_EQ(saved.access_expires_at, now + Seconds(3600));
    EXPECT_EQ(saved.refresh_due_at, now + Seconds(2400));
    EXPECT_EQ(saved.fail_count, 0U);
    EXPECT_EQ(saved.last_error, "");
    EXPECT_EQ(saved.same_refresh_token_count, 0U);
    EXPECT_EQ(saved.last_attempt, "try1");
    EXPECT_FALSE(saved.intent);
    EXPECT_FALSE(saved.lease.until);
    EXPECT_EQ(saved.lease.epoch, 1U) << "the epoch only grows";
    EXPECT_EQ(saved.state, ConnectionState::active);
    EXPECT_EQ(saved.state_since, row.state_since);
}

TYPED_TEST_P(StoreClaims, a_save_counts_answers_that_bring_the_same_refresh_token) {
    auto row = this->insert(sample());
    for (unsigned count = 1; count <= 3; ++count) {
        auto tokens = save_of(row, "try" + std::to_string(count));
        tokens.same_refresh_token = true;
        tokens.scopes = "all-apis";
        ASSERT_EQ(this->save(tokens), SaveOutcome::saved);
        row = this->find(row).value();
        EXPECT_EQ(row.same_refresh_token_count, count);
        EXPECT_EQ(row.scopes, Scopes{"all-apis"});
    }
}

TYPED_TEST_P(StoreClaims, a_save_succeeds_whoever_holds_the_lease_by_now) {
    auto const row = this->insert(sample());
    ASSERT_TRUE(this->claim(claim_of(row)));
    ASSERT_TRUE(this->claim(claim_of(row, "node_a", "try2")));
    EXPECT_EQ(this->save(save_of(row, "try1")), SaveOutcome::saved)
        << "a good token is good, though a later attempt holds the epoch";
}

TYPED_TEST_P(StoreClaims, a_late_good_token_revives_what_was_given_up) {
    for (auto const state : {ConnectionState::reauth_required, ConnectionState::quarantined}) {
        auto row = sample(std::to_string(static_cast<int>(state)));
        row.state = state;
        row.reason = ReauthReason::outcome_lost;
        this->insert(row);
        EXPECT_EQ(this->save(save_of(row)), SaveOutcome::saved);
        auto const saved = this->find(row).value();
        EXPECT_EQ(saved.state, ConnectionState::active);
        EXPECT_EQ(saved.reason, ReauthReason::none);
        EXPECT_EQ(saved.state_since, now);
    }
}

TYPED_TEST_P(StoreClaims, a_save_tells_why_it_came_too_late) {
    auto const row = this->insert(sample());
    EXPECT_EQ(this->save(save_of(sample("9"))), SaveOutcome::gone);
    ASSERT_EQ(this->save(save_of(row, "try1")), SaveOutcome::saved);
    auto const after = text_of(this->find(row).value());
    EXPECT_EQ(this->save(save_of(row, "try1")), SaveOutcome::already_saved);
    EXPECT_EQ(this->save(save_of(row, "try2")), SaveOutcome::superseded);
    auto other_family = row;
    other_family.family += 1;
    EXPECT_EQ(this->save(save_of(other_family)), SaveOutcome::family_changed);
    EXPECT_EQ(text_of(this->find(row).value()), after);
}

TYPED_TEST_P(StoreClaims, a_disconnect_wins_over_a_refresh_in_flight) {
    auto const row = this->insert(sample());
    auto const claimed = this->claim(claim_of(row)).value();
    EXPECT_TRUE(this->run([&](StoreTransaction& rows) { return rows.disconnect(row.id, now); }));
    EXPECT_FALSE(this->run([&](StoreTransaction& rows) { return rows.disconnect(row.id, now); }));
    EXPECT_EQ(this->save(save_of(row)), SaveOutcome::family_changed);
    EXPECT_FALSE(this->back_off(fence_of(claimed), {}));
    EXPECT_FALSE(this->give_up(fence_of(claimed)));
    EXPECT_FALSE(this->keep_alternative(row, "other"));
    auto const ended = this->find(row).value();
    EXPECT_EQ(ended.state, ConnectionState::disconnected);
    EXPECT_EQ(ended.sealed_access + ended.sealed_refresh + ended.sealed_alt_refresh, "");
    EXPECT_FALSE(ended.intent);
    EXPECT_FALSE(ended.refresh_due_at);
}

TYPED_TEST_P(StoreClaims, nothing_is_kept_in_a_connection_that_was_ended) {
    auto row = sample();
    row.state = ConnectionState::disconnected;
    this->insert(row);
    EXPECT_EQ(this->save(save_of(row)), SaveOutcome::family_changed);
    EXPECT_FALSE(this->keep_alternative(row, "other"));
    EXPECT_EQ(text_of(this->find(row).value()), text_of(row));
}

// A failure may be written by the attempt that saw it and by nobody else: every field is a fence.
TYPED_TEST_P(StoreClaims, failures_are_fenced_by_every_field) {
    using Break = std::function<void(Fence&)>;
    std::vector<std::pair<std::string, Break>> const breaks{
        {"id", [](Fence& f) { f.id = sample("9").id; }},
        {"family", [](Fence& f) { f.family += 1; }},
        {"generation", [](Fence& f) { f.generation += 1; }},
        {"epoch", [](Fence& f) { f.epoch += 1; }},
        {"node", [](Fence& f) { f.node = "node_b"; }},
        {"attempt", [](Fence& f) { f.attempt = "try2"; }},
    };
    auto const row = this->insert(sample());
    ASSERT_TRUE(this->keep_alternative(row, "other"));
    auto const claimed = this->claim(claim_of(row)).value();
    auto const before = text_of(claimed);
    for (auto const& [what, harm] : breaks) {
        SCOPED_TRACE(what);
        Fence fence = fence_of(claimed);
        harm(fence);
        EXPECT_FALSE(this->back_off(fence, {}));
        EXPECT_FALSE(this->give_up(fence));
        EXPECT_FALSE(this->promote(fence));
        EXPECT_EQ(text_of(this->find(row).value()), before);
    }
    EXPECT_TRUE(this->give_up(fence_of(claimed)));
    EXPECT_FALSE(this->give_up(fence_of(claimed))) << "it is resolved";
}

TYPED_TEST_P(StoreClaims, a_failure_does_not_lift_a_quarantine) {
    auto const row = this->insert(sample());
    auto const claimed = this->claim(claim_of(row)).value();
    ASSERT_TRUE(this->run([&](StoreTransaction& rows) {
        return rows.set_state(row.id, row.family, ConnectionState::quarantined, ReauthReason::none,
                              now);
    }));
    EXPECT_FALSE(this->back_off(fence_of(claimed), {}));
    EXPECT_FALSE(this->give_up(fence_of(claimed)));
    EXPECT_EQ(this->find(row)->state, ConnectionState::quarantined);
}

TYPED_TEST_P(StoreClaims, a_back_off_of_what_was_not_spent_forgets_the_presentation) {
    auto const row = this->insert(sample());
    auto const claimed = this->claim(claim_of(row)).value();
    BackOff wish{Spent::no, now + Seconds(5), "upstream_unreachable", std::nullopt, now + ms};
    EXPECT_TRUE(this->back_off(fence_of(claimed), wish));
    auto const after = this->find(row).value();
    EXPECT_FALSE(after.intent);
    EXPECT_FALSE(after.lease.until);
    EXPECT_EQ(after.lease.node, "");
    EXPECT_EQ(after.state, ConnectionState::active);
    EXPECT_EQ(after.next_attempt_at, now + Seconds(5));
    EXPECT_EQ(after.fail_count, 1U);
    EXPECT_EQ(after.last_error, "upstream_unreachable");
    EXPECT_EQ(after.updated_at, now + ms);
    EXPECT_TRUE(this->claim(claim_of(row, "node_b", "try2", now + Seconds(5))))
        << "free for everybody again";
}

TYPED_TEST_P(StoreClaims, D7_a_back_off_that_does_not_count_clears_the_intent_and_nothing_else) {
    auto blocked = sample();
    blocked.state = ConnectionState::host_blocked;
    blocked.fail_count = 2;
    blocked.last_error = "host_blocked";
    blocked.next_attempt_at = now;
    auto const row = this->insert(blocked);
    auto const claimed = this->claim(claim_of(row)).value();
    BackOff wish{Spent::no, now + Seconds(60), "invalid_client", std::nullopt, now + ms, false};
    EXPECT_TRUE(this->back_off(fence_of(claimed), wish));
    auto after = this->find(row).value();
    EXPECT_FALSE(after.intent);
    EXPECT_FALSE(after.lease.until);
    EXPECT_EQ(after.updated_at, now + ms);
    after.updated_at = row.updated_at;
    after.lease.epoch = row.lease.epoch;
    EXPECT_EQ(text_of(after), text_of(row));
}

TYPED_TEST_P(StoreClaims, D7_a_back_off_that_does_not_count_leaves_an_open_presentation_open) {
    auto const row = this->insert(sample());
    ASSERT_TRUE(this->claim(claim_of(row)));
    auto const second = this->claim(claim_of(row, "node_a", "try2")).value();
    BackOff wish{Spent::no, now + Seconds(60), "invalid_client", std::nullopt, now + ms, false};
    EXPECT_TRUE(this->back_off(fence_of(second), wish));
    EXPECT_EQ(this->find(row)->state, ConnectionState::uncertain);
    EXPECT_EQ(this->find(row)->intent->presented, 1U);
}

TYPED_TEST_P(StoreClaims, a_back_off_keeps_an_older_open_presentation) {
    auto const row = this->insert(sample());
    ASSERT_TRUE(this->claim(claim_of(row)));
    auto const second = this->claim(claim_of(row, "node_a", "try2")).value();
    EXPECT_TRUE(this->back_off(fence_of(second), {}));
    auto const after = this->find(row).value();
    ASSERT_TRUE(after.intent) << "the first presentation is still unresolved";
    EXPECT_EQ(after.intent->presented, 1U);
    EXPECT_EQ(after.state, ConnectionState::uncertain);
    EXPECT_FALSE(this->claim(claim_of(row, "node_b", "try3", now + Seconds(600))));
}

// A commit that was reported as failed is made again, and a spooled answer is replayed after a
// crash: taken back twice, the older presentation would be forgotten with the newer.
TYPED_TEST_P(StoreClaims, how_a_claim_ended_is_noted_once) {
    auto const row = this->insert(sample());
    ASSERT_TRUE(this->claim(claim_of(row)));
    auto const second = this->claim(claim_of(row, "node_a", "try2")).value();
    EXPECT_TRUE(this->back_off(fence_of(second), {}));
    auto const noted = text_of(this->find(row).value());
    EXPECT_FALSE(this->back_off(fence_of(second), {}));
    EXPECT_EQ(text_of(this->find(row).value()), noted);
}

TYPED_TEST_P(StoreClaims, a_back_off_of_what_may_be_spent_keeps_the_intent) {
    auto const row = this->insert(sample());
    auto const claimed = this->claim(claim_of(row)).value();
    BackOff wish{Spent::maybe, now + Seconds(2), "upstream_timeout", std::nullopt, now + ms};
    EXPECT_TRUE(this->back_off(fence_of(claimed), wish));
    auto const after = this->find(row).value();
    ASSERT_TRUE(after.intent);
    EXPECT_EQ(after.intent->presented, 1U);
    EXPECT_EQ(after.state, ConnectionState::uncertain);
    EXPECT_EQ(after.state_since, now + ms);
    EXPECT_FALSE(after.lease.until);
    EXPECT_FALSE(this->claim(claim_of(row, "node_b", "try2", now + Seconds(600))));
    EXPECT_TRUE(this->claim(claim_of(row, "node_a", "try2", now + Seconds(600))));
}

TYPED_TEST_P(StoreClaims, a_blocked_host_is_a_state_that_was_asked_for) {
    auto const row = this->insert(sample());
    auto claimed = this->claim(claim_of(row)).value();
    BackOff wish{Spent::no, now, "host_blocked", ConnectionState::host_blocked, now + ms};
    EXPECT_TRUE(this->back_off(fence_of(claimed), wish));
    EXPECT_EQ(this->find(row)->state, ConnectionState::host_blocked);
    claimed = this->claim(claim_of(row, "node_a", "try2", now + ms)).value();
    EXPECT_EQ(claimed.fail_count, 1U);
    wish.now = now + 2 * ms;
    EXPECT_TRUE(this->back_off(fence_of(claimed), wish));
    auto const after = this->find(row).value();
    EXPECT_EQ(after.fail_count, 2U);
    EXPECT_EQ(after.state_since, now + ms) << "since it was blocked first";
}

TYPED_TEST_P(StoreClaims, a_definite_failure_ends_the_grant_with_its_reason) {
    auto const row = this->insert(sample());
    auto const claimed = this->claim(claim_of(row)).value();
    EXPECT_TRUE(this->give_up(fence_of(claimed), ReauthReason::outcome_lost));
    this->backend_.reopen();
    auto const after = this->find(row).value();
    EXPECT_EQ(after.state, ConnectionState::reauth_required);
    EXPECT_EQ(after.reason, ReauthReason::outcome_lost);
    EXPECT_EQ(after.state_since, now);
    EXPECT_EQ(after.last_error, "invalid_grant");
    EXPECT_FALSE(after.intent);
    EXPECT_FALSE(after.refresh_due_at);
    EXPECT_EQ(after.sealed_access, row.sealed_access);
}

TYPED_TEST_P(StoreClaims, an_alternative_becomes_a_new_generation) {
    auto const row = this->insert(sample());
    ASSERT_TRUE(this->keep_alternative(row, "other"));
    EXPECT_EQ(this->find(row)->sealed_alt_refresh, "other");
    auto const claimed = this->claim(claim_of(row)).value();
    EXPECT_TRUE(this->promote(fence_of(claimed)));
    auto const after = this->find(row).value();
    EXPECT_EQ(after.generation, row.generation + 1);
    EXPECT_EQ(after.sealed_access, "access again");
    EXPECT_EQ(after.sealed_refresh, "the other refresh");
    EXPECT_EQ(after.sealed_alt_refresh, "");
    EXPECT_EQ(after.refresh_due_at, now);
    EXPECT_EQ(after.state, ConnectionState::active);
    EXPECT_FALSE(after.intent);
    auto other_family = row;
    other_family.family += 1;
    EXPECT_FALSE(this->keep_alternative(other_family, "late"));
}

TYPED_TEST_P(StoreClaims, an_alternative_without_access_token_serves_nothing_until_it_is_renewed) {
    auto const row = this->insert(sample());
    ASSERT_TRUE(this->keep_alternative(row, "other"));
    auto const claimed = this->claim(claim_of(row)).value();
    EXPECT_TRUE(this->run([&](StoreTransaction& rows) {
        return rows.promote_alt_refresh(fence_of(claimed), "", "the other refresh", now);
    }));
    auto const after = this->find(row).value();
    EXPECT_EQ(after.sealed_access, "");
    EXPECT_EQ(after.access_expires_at, now);
    EXPECT_EQ(after.refresh_due_at, now);
}

TYPED_TEST_P(StoreClaims, a_new_sign_in_replaces_the_family_once) {
    auto row = sample();
    row.state = ConnectionState::reauth_required;
    row.reason = ReauthReason::revoked;
    row.fail_count = 3;
    row.next_attempt_at = now + Seconds(900);
    this->insert(row);
    ASSERT_TRUE(this->keep_alternative(row, "other"));
    auto next = row;
    next.family = 4;
    next.generation = 8;
    next.sealed_access = "access of family 4";
    next.sealed_refresh = "refresh of family 4";
    next.current_fingerprint = "dd";
    next.principal.display_name = "Ada L.";
    next.state_since = next.updated_at = now;
    auto const replace = [&](std::uint64_t expected) {
        return this->run(
            [&](StoreTransaction& rows) { return rows.replace_family(next, expected); });
    };
    EXPECT_FALSE(replace(2));
    EXPECT_TRUE(replace(3));
    EXPECT_FALSE(replace(3)) << "the second of two sign-ins must look again";
    auto const after = this->find(row).value();
    EXPECT_EQ(after.family, 4U);
    EXPECT_EQ(after.generation, 8U);
    EXPECT_EQ(after.sealed_refresh, "refresh of family 4");
    EXPECT_EQ(after.sealed_alt_refresh, "");
    EXPECT_EQ(after.previous_fingerprint, "bb");
    EXPECT_EQ(after.current_fingerprint, "dd");
    EXPECT_EQ(after.principal.display_name, "Ada L.");
    EXPECT_EQ(after.state, ConnectionState::active);
    EXPECT_EQ(after.reason, ReauthReason::none);
    EXPECT_EQ(after.fail_count, 0U);
    EXPECT_FALSE(after.next_attempt_at);
    EXPECT_EQ(after.created_at, row.created_at);
}

TYPED_TEST_P(StoreClaims, a_refresh_of_the_old_family_can_do_nothing_to_the_new_one) {
    auto const row = this->insert(sample());
    auto const claimed = this->claim(claim_of(row)).value();
    auto next = row;
    next.family = 4;
    next.generation = 8;
    ASSERT_TRUE(this->run([&](StoreTransaction& rows) { return rows.replace_family(next, 3); }));
    auto const before = this->find(row).value();
    EXPECT_FALSE(before.intent);
    EXPECT_FALSE(before.lease.until);
    EXPECT_GT(before.lease.epoch, claimed.lease.epoch);
    EXPECT_EQ(this->save(save_of(row)), SaveOutcome::family_changed);
    EXPECT_FALSE(this->back_off(fence_of(claimed), {}));
    EXPECT_FALSE(this->give_up(fence_of(claimed)));
    EXPECT_EQ(text_of(this->find(row).value()), text_of(before));
}

TYPED_TEST_P(StoreClaims, a_restart_finds_the_intents_of_its_node) {
    auto const first = this->insert(sample("1"));
    auto const second = this->insert(sample("2"));
    auto const third = this->insert(sample("3"));
    this->insert(sample("4"));
    ASSERT_TRUE(this->claim(claim_of(first)));
    ASSERT_TRUE(this->claim(claim_of(second, "node_b")));
    ASSERT_TRUE(this->claim(claim_of(third)));
    this->backend_.reopen();
    auto const open =
        this->run([](StoreTransaction& rows) { return rows.connections_with_intent_of("node_a"); });
    EXPECT_THAT(this->ids(open), ::testing::ElementsAre("1", "3"));
}

REGISTER_TYPED_TEST_SUITE_P(
    StoreClaims, a_claim_leaves_epoch_lease_and_intent, a_claim_names_the_family_and_the_generation,
    only_states_that_can_refresh_are_claimed, a_back_off_holds_a_claim_until_its_moment,
    a_claim_ignores_the_schedule, lease_and_owner_held_intent_each_refuse_alone,
    another_node_never_presents_an_unresolved_generation,
    a_save_moves_the_generation_and_clears_the_claim,
    a_save_counts_answers_that_bring_the_same_refresh_token,
    a_save_succeeds_whoever_holds_the_lease_by_now, a_late_good_token_revives_what_was_given_up,
    a_save_tells_why_it_came_too_late, a_disconnect_wins_over_a_refresh_in_flight,
    nothing_is_kept_in_a_connection_that_was_ended, failures_are_fenced_by_every_field,
    a_failure_does_not_lift_a_quarantine, a_back_off_of_what_was_not_spent_forgets_the_presentation,
    D7_a_back_off_that_does_not_count_clears_the_intent_and_nothing_else,
    D7_a_back_off_that_does_not_count_leaves_an_open_presentation_open,
    a_back_off_keeps_an_older_open_presentation, how_a_claim_ended_is_noted_once,
    a_back_off_of_what_may_be_spent_keeps_the_intent, a_blocked_host_is_a_state_that_was_asked_for,
    a_definite_failure_ends_the_grant_with_its_reason, an_alternative_becomes_a_new_generation,
    an_alternative_without_access_token_serves_nothing_until_it_is_renewed,
    a_new_sign_in_replaces_the_family_once,
    a_refresh_of_the_old_family_can_do_nothing_to_the_new_one,
    a_restart_finds_the_intents_of_its_node);

}  // namespace brickgate::testing

// SPDX-License-Identifier: Apache-2.0
#pragma once
// Rows, lists and transactions: everything of a Store but the refresh protocol.
#include "unit/vault/store_conformance.h"

namespace brickgate::testing {

inline LoginRow login_row(std::string const& name) {
    LoginRow row;
    row.state_hash = std::string(31, '\0') + name;
    row.cookie_hash = std::string(31, '\xEE') + name;
    row.registration = RegistrationId("reg_" + std::string(32, 'a'));
    row.workspace = "https://ws.example";
    row.workspace_id = "1234567890123456";
    row.issuer = Issuer("https://ws.example/oidc");
    row.token_endpoint = "https://ws.example/oidc/v1/token";
    row.jwks_uri = "https://ws.example/oidc/jwks.json";
    row.iss_required = true;
    row.redirect_uri = "http://localhost:3000/callback";
    row.scopes = "all-apis";
    row.subject = "user";
    row.return_to = "http://localhost:4000/done";
    row.sealed = std::string("\0sealed\xFF", 8);
    row.created_at = now;
    row.expires_at = now + Seconds(600);
    return row;
}

template <class Backend>
class StoreRows : public StoreConformance<Backend> {};
TYPED_TEST_SUITE_P(StoreRows);

TYPED_TEST_P(StoreRows, a_connection_comes_back_as_it_was) {
    auto row = sample();
    row.sealed_alt_refresh = std::string("alt\0", 4);
    row.refresh_expires_at = now + Seconds(1);
    row.session_ends_at = now + Seconds(2);
    row.next_attempt_at = now + Seconds(3);
    row.fail_count = 2;
    row.last_error = "server_error";
    row.last_attempt = "try0";
    row.same_refresh_token_count = 1;
    row.lease.epoch = 5;
    row.workspace_id = "1234567890123456";
    row.principal.display_name = "Zo\xC3\xAB 'quote\" \n";
    this->insert(row);
    this->backend_.reopen();
    EXPECT_EQ(text_of(this->find(row).value()), text_of(row));
    EXPECT_FALSE(this->find(sample("2")));
}

TYPED_TEST_P(StoreRows, a_new_row_is_nobodys) {
    auto row = sample();
    row.intent = Intent{"node_b", "boot", "try", row.generation, now, 1};
    row.lease = {"node_b", 1, now + Seconds(60)};
    this->insert(row);
    auto const kept = this->find(row).value();
    EXPECT_FALSE(kept.intent);
    EXPECT_FALSE(kept.lease.until);
}

TYPED_TEST_P(StoreRows, one_connection_a_person_workspace_and_subject) {
    auto const row = this->insert(sample());
    auto twin = sample("2");
    twin.subject = row.subject;
    twin.principal.sub = row.principal.sub;
    auto const insert_twin = [&](StoreTransaction& rows) { return rows.insert_connection(twin); };
    auto const refused = this->run_void(insert_twin);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::store_conflict);
    auto const same_id = this->run_void([&](StoreTransaction& rows) {
        auto copy = row;
        copy.subject = "somebody else";
        return rows.insert_connection(copy);
    });
    EXPECT_FALSE(same_id);
    EXPECT_TRUE(this->run([&](StoreTransaction& rows) { return rows.disconnect(row.id, now); }));
    EXPECT_TRUE(this->run_void(insert_twin)) << "one that was ended stands in nobody's way";
}

TYPED_TEST_P(StoreRows, a_connection_is_found_by_whose_it_is) {
    auto const row = this->insert(sample());
    auto const look = [&](Connection const& like) {
        return this->run([&](StoreTransaction& rows) { return rows.find_connection_of(like); });
    };
    ASSERT_TRUE(look(row));
    EXPECT_EQ(look(row)->id, row.id);
    auto other = row;
    other.registration = RegistrationId("reg_" + std::string(32, 'b'));
    EXPECT_FALSE(look(other));
    other = row;
    other.workspace = "https://other.example";
    EXPECT_FALSE(look(other));
    other = row;
    other.workspace_id = "1234567890123456";
    EXPECT_FALSE(look(other)) << "another workspace of the same unified host";
    other = row;
    other.principal.sub = "sub-2";
    EXPECT_FALSE(look(other));
    other = row;
    other.subject = "";
    EXPECT_FALSE(look(other));
    EXPECT_TRUE(this->run([&](StoreTransaction& rows) { return rows.disconnect(row.id, now); }));
    EXPECT_FALSE(look(row));
}

TYPED_TEST_P(StoreRows, a_list_is_read_page_by_page) {
    for (auto const* name : {"3", "1", "5", "2", "4"}) {
        auto row = sample(name);
        row.workspace = std::string(name) < "4" ? "https://ws.example" : "https://two.example";
        row.state =
            std::string(name) == "2" ? ConnectionState::quarantined : ConnectionState::active;
        this->insert(row);
    }
    auto const list = [&](ConnectionFilter const& filter) {
        return this->run([&](StoreTransaction& rows) { return rows.list_connections(filter); });
    };
    ConnectionFilter filter;
    filter.limit = 2;
    std::vector<std::string> seen;
    for (;;) {
        auto const page = list(filter);
        if (page.empty()) {
            break;
        }
        EXPECT_LE(page.size(), 2U);
        for (auto const& name : this->ids(page)) {
            seen.push_back(name);
        }
        filter.after = page.back().id.value();
    }
    EXPECT_THAT(seen, ::testing::ElementsAre("1", "2", "3", "4", "5"));
    ConnectionFilter by_subject;
    by_subject.subject = "user-3";
    EXPECT_THAT(this->ids(list(by_subject)), ::testing::ElementsAre("3"));
    ConnectionFilter by_both;
    by_both.workspace = "https://ws.example";
    by_both.state = ConnectionState::active;
    EXPECT_THAT(this->ids(list(by_both)), ::testing::ElementsAre("1", "3"));
}

TYPED_TEST_P(StoreRows, due_refreshes_come_shortest_life_first_and_only_those_that_can) {
    struct Case {
        char const* name;
        ConnectionState state;
        std::optional<Milliseconds> due;
        std::optional<Milliseconds> wait;
    };
    for (auto const& [name, state, due, wait] :
         {Case{"1", ConnectionState::active, 0 * ms, {}},
          Case{"2", ConnectionState::uncertain, -5 * ms, 0 * ms},
          Case{"3", ConnectionState::host_blocked, -9 * ms, -1 * ms},
          Case{"4", ConnectionState::active, 1 * ms, {}},
          Case{"5", ConnectionState::active, -9 * ms, 1 * ms},
          Case{"6", ConnectionState::active, std::nullopt, {}},
          Case{"7", ConnectionState::reauth_required, -9 * ms, {}},
          Case{"8", ConnectionState::quarantined, -9 * ms, {}},
          Case{"9", ConnectionState::disconnected, -9 * ms, {}}}) {
        auto row = sample(name);
        row.state = state;
        row.refresh_due_at = due ? std::optional(now + *due) : std::nullopt;
        row.next_attempt_at = wait ? std::optional(now + *wait) : std::nullopt;
        row.access_expires_at = now + (10 - (name[0] - '0')) * ms;
        this->insert(row);
    }
    auto const due = [&](std::size_t limit) {
        return this->ids(
            this->run([&](StoreTransaction& rows) { return rows.due_connections({now, limit}); }));
    };
    EXPECT_THAT(due(10), ::testing::ElementsAre("3", "2", "1"));
    EXPECT_THAT(due(2), ::testing::ElementsAre("3", "2"));
}

TYPED_TEST_P(StoreRows, a_scan_leaves_out_workspaces_and_takes_registrations_as_it_is_told) {
    for (auto const& [name, workspace, registration] :
         {std::array{"1", "https://a.example", "reg_1"},
          std::array{"2", "https://b.example", "reg_1"},
          std::array{"3", "https://c.example", "reg_2"},
          std::array{"4", "https://a.example", "reg_2"}}) {
        auto row = sample(name);
        row.workspace = workspace;
        row.registration = RegistrationId(registration);
        this->insert(row);
    }
    auto const due = [&](DueQuery const& query) {
        return this->ids(
            this->run([&](StoreTransaction& rows) { return rows.due_connections(query); }));
    };
    DueQuery query{now, 10};
    EXPECT_THAT(due(query), ::testing::UnorderedElementsAre("1", "2", "3", "4"));
    query.but_workspaces = {"https://a.example", "https://\"odd'.example"};
    EXPECT_THAT(due(query), ::testing::UnorderedElementsAre("2", "3"));
    query.registrations = {RegistrationId("reg_1"), RegistrationId("reg_9")};
    EXPECT_THAT(due(query), ::testing::UnorderedElementsAre("2"));
    query.registrations.emplace();
    EXPECT_THAT(due(query), ::testing::IsEmpty());
}

TYPED_TEST_P(StoreRows, D9_what_an_outage_left_overdue_is_spread) {
    Milliseconds const minute = Seconds(60);
    for (int i = 1; i <= 20; ++i) {
        auto row = sample(std::to_string(i));
        row.refresh_due_at = now - minute;
        row.access_expires_at = now + (i % 2 == 0 ? 60 : 10) * minute;
        this->insert(row);
    }
    auto over = sample("21");
    over.refresh_due_at = now - minute;
    over.access_expires_at = now - minute;
    this->insert(over);
    auto elsewhere = sample("22");
    elsewhere.workspace = "https://other.example";
    elsewhere.refresh_due_at = now - minute;
    this->insert(elsewhere);
    auto later = sample("23");
    later.refresh_due_at = now - minute + ms;
    this->insert(later);
    auto ended = sample("24");
    ended.state = ConnectionState::reauth_required;
    ended.refresh_due_at = now - minute;
    this->insert(ended);
    Spread spread{now, now - minute, 10 * minute, "https://ws.example", std::nullopt};
    EXPECT_EQ(this->run([&](StoreTransaction& rows) { return rows.spread_overdue(spread); }), 21U);
    std::set<Time> moments;
    for (int i = 1; i <= 20; ++i) {
        auto const due = *this->find(sample(std::to_string(i)))->refresh_due_at;
        EXPECT_GE(due, now);
        EXPECT_LT(due, now + (i % 2 == 0 ? 10 : 5) * minute) << i;
        moments.insert(due);
    }
    EXPECT_GE(moments.size(), 15U);
    EXPECT_GT(*moments.rbegin() - *moments.begin(), 4 * minute);
    EXPECT_EQ(this->find(over)->refresh_due_at, now);
    EXPECT_EQ(this->find(elsewhere)->refresh_due_at, now - minute);
    EXPECT_EQ(this->find(later)->refresh_due_at, now - minute + ms);
    EXPECT_EQ(this->find(ended)->refresh_due_at, now - minute);
    spread.workspace.reset();
    spread.registration = RegistrationId("reg_of_nobody");
    EXPECT_EQ(this->run([&](StoreTransaction& rows) { return rows.spread_overdue(spread); }), 0U);
}

TYPED_TEST_P(StoreRows, the_next_due_moment_respects_a_back_off) {
    auto const next = [&] {
        return this->run([](StoreTransaction& rows) { return rows.next_due_at(); });
    };
    EXPECT_FALSE(next());
    auto row = sample("1");
    row.refresh_due_at = now;
    row.next_attempt_at = now + 50 * ms;
    this->insert(row);
    EXPECT_EQ(next(), now + 50 * ms);
    row = sample("2");
    row.refresh_due_at = now + 20 * ms;
    this->insert(row);
    EXPECT_EQ(next(), now + 20 * ms);
    row = sample("3");
    row.refresh_due_at = now + 1 * ms;
    row.state = ConnectionState::reauth_required;
    this->insert(row);
    EXPECT_EQ(next(), now + 20 * ms);
}

TYPED_TEST_P(StoreRows, states_are_set_and_counted) {
    auto const first = this->insert(sample("1"));
    this->insert(sample("2"));
    auto const set = [&](std::uint64_t family) {
        return this->run([&](StoreTransaction& rows) {
            return rows.set_state(first.id, family, ConnectionState::reauth_required,
                                  ReauthReason::restored, now);
        });
    };
    EXPECT_FALSE(set(99));
    EXPECT_TRUE(set(first.family));
    EXPECT_EQ(this->find(first)->reason, ReauthReason::restored);
    EXPECT_EQ(this->find(first)->state_since, now);
    auto const counts = this->run([](StoreTransaction& rows) { return rows.count_by_state(); });
    using Count = std::pair<std::string, std::uint64_t>;
    EXPECT_THAT(counts,
                ::testing::UnorderedElementsAre(Count("active", 1), Count("reauth_required", 1)));
    EXPECT_TRUE(this->run([&](StoreTransaction& rows) { return rows.disconnect(first.id, now); }));
    EXPECT_FALSE(set(first.family + 1)) << "an end is an end";
}

TYPED_TEST_P(StoreRows, T01_a_login_is_taken_once) {
    auto const row = login_row("1");
    ASSERT_TRUE(this->run_void([&](StoreTransaction& rows) { return rows.insert_login(row); }));
    EXPECT_FALSE(this->run_void([&](StoreTransaction& rows) { return rows.insert_login(row); }));
    this->backend_.reopen();
    auto const take = [&](std::string const& hash) {
        return this->run([&](StoreTransaction& rows) { return rows.take_login(hash); });
    };
    EXPECT_FALSE(take(login_row("2").state_hash));
    auto const taken = take(row.state_hash);
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->cookie_hash, row.cookie_hash);
    EXPECT_EQ(taken->registration, row.registration);
    EXPECT_EQ(taken->workspace, row.workspace);
    EXPECT_EQ(taken->workspace_id, row.workspace_id);
    EXPECT_EQ(taken->issuer, row.issuer);
    EXPECT_EQ(taken->token_endpoint, row.token_endpoint);
    EXPECT_EQ(taken->jwks_uri, row.jwks_uri);
    EXPECT_TRUE(taken->iss_required);
    EXPECT_EQ(taken->redirect_uri, row.redirect_uri);
    EXPECT_EQ(taken->scopes, row.scopes);
    EXPECT_EQ(taken->subject, row.subject);
    EXPECT_EQ(taken->return_to, row.return_to);
    EXPECT_EQ(taken->sealed, row.sealed);
    EXPECT_EQ(taken->created_at, row.created_at);
    EXPECT_EQ(taken->expires_at, row.expires_at);
    EXPECT_FALSE(take(row.state_hash));
}

TYPED_TEST_P(StoreRows, expired_logins_are_swept) {
    for (auto const& [name, left] : {std::pair("1", -1 * ms), {"2", 0 * ms}, {"3", 1 * ms}}) {
        auto row = login_row(name);
        row.expires_at = now + left;
        ASSERT_TRUE(this->run_void([&](StoreTransaction& rows) { return rows.insert_login(row); }));
    }
    auto const count = [&] {
        return this->run([](StoreTransaction& rows) { return rows.count_logins(); });
    };
    EXPECT_EQ(count(), 3U);
    EXPECT_EQ(
        this->run([](StoreTransaction& rows) { return rows.delete_logins_expired_before(now); }),
        2U);
    EXPECT_EQ(count(), 1U);
}

TYPED_TEST_P(StoreRows, api_keys_are_kept_and_revoked_once) {
    ApiKeyRow const first{
        "0123456789abcdef",      "default", "one",       "admin", now + Seconds(9),
        std::string("mac\0", 4), now,       std::nullopt};
    ApiKeyRow const second{"1123456789abcdef", "default", "two",    "token:read",
                           std::nullopt,       "mac",     now - ms, std::nullopt};
    for (auto const& key : {first, second}) {
        ASSERT_TRUE(
            this->run_void([&](StoreTransaction& rows) { return rows.insert_api_key(key); }));
    }
    EXPECT_FALSE(
        this->run_void([&](StoreTransaction& rows) { return rows.insert_api_key(first); }));
    auto const revoke = [&](std::string const& id) {
        return this->run([&](StoreTransaction& rows) { return rows.revoke_api_key(id, now); });
    };
    EXPECT_TRUE(revoke(first.id));
    EXPECT_FALSE(revoke(first.id));
    EXPECT_FALSE(revoke("ffffffffffffffff"));
    auto const found =
        this->run([&](StoreTransaction& rows) { return rows.find_api_key(first.id); });
    ASSERT_TRUE(found);
    EXPECT_EQ(found->mac, first.mac);
    EXPECT_EQ(found->not_after, first.not_after);
    EXPECT_EQ(found->revoked_at, now);
    auto const all = this->run([](StoreTransaction& rows) { return rows.list_api_keys(); });
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].name, "two") << "oldest first";
    EXPECT_FALSE(all[0].not_after);
    EXPECT_FALSE(all[0].leaked_at);
    auto const leaked = [&](std::string const& id, Time at) {
        return this->run([&](StoreTransaction& rows) { return rows.mark_api_key_leaked(id, at); });
    };
    EXPECT_TRUE(leaked(second.id, now));
    EXPECT_FALSE(leaked(second.id, now + ms)) << "the first time counts";
    EXPECT_FALSE(leaked("ffffffffffffffff", now));
    auto const marked =
        this->run([&](StoreTransaction& rows) { return rows.find_api_key(second.id); });
    EXPECT_EQ(marked->leaked_at, now);
    EXPECT_FALSE(marked->revoked_at);
}

inline CapabilityRow sample_capability(std::string id, Connection const& of, Time created_at) {
    CapabilityRow row;
    row.id = std::move(id);
    row.connection = of.id;
    row.name = "name of " + row.id;
    row.methods = "GET,POST";
    row.paths = "/api/2.0/sql\n/sql/1.0";
    row.not_after = now + Seconds(9);
    row.mac = std::string("mac\0\xFF", 5);
    row.created_at = created_at;
    return row;
}

TYPED_TEST_P(StoreRows, capabilities_are_kept_marked_and_revoked_once) {
    auto const first = sample_capability("0123456789abcdef", sample("1"), now);
    auto second = sample_capability("1123456789abcdef", sample("2"), now - ms);
    second.not_after.reset();
    for (auto const& row : {first, second}) {
        ASSERT_TRUE(
            this->run_void([&](StoreTransaction& rows) { return rows.insert_capability(row); }));
    }
    EXPECT_FALSE(
        this->run_void([&](StoreTransaction& rows) { return rows.insert_capability(first); }));
    auto const revoke = [&](std::string const& id, Time at) {
        return this->run([&](StoreTransaction& rows) { return rows.revoke_capability(id, at); });
    };
    auto const leaked = [&](std::string const& id, Time at) {
        return this->run(
            [&](StoreTransaction& rows) { return rows.mark_capability_leaked(id, at); });
    };
    EXPECT_TRUE(revoke(first.id, now));
    EXPECT_FALSE(revoke(first.id, now + ms));
    EXPECT_FALSE(revoke("ffffffffffffffff", now));
    EXPECT_TRUE(leaked(first.id, now + ms));
    EXPECT_FALSE(leaked(first.id, now + ms + ms));
    EXPECT_FALSE(leaked("ffffffffffffffff", now));
    this->backend_.reopen();
    auto const all = this->run([](StoreTransaction& rows) { return rows.list_capabilities(); });
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].id, second.id) << "oldest first";
    EXPECT_FALSE(all[0].not_after);
    EXPECT_FALSE(all[0].revoked_at);
    EXPECT_FALSE(all[0].leaked_at);
    EXPECT_EQ(all[1].connection, first.connection);
    EXPECT_EQ(all[1].name, first.name);
    EXPECT_EQ(all[1].methods, first.methods);
    EXPECT_EQ(all[1].paths, first.paths);
    EXPECT_EQ(all[1].not_after, first.not_after);
    EXPECT_EQ(all[1].mac, first.mac);
    EXPECT_EQ(all[1].created_at, now);
    EXPECT_EQ(all[1].revoked_at, now);
    EXPECT_EQ(all[1].leaked_at, now + ms);
}

TYPED_TEST_P(StoreRows, capabilities_end_with_their_connection) {
    auto const mine = this->insert(sample("1"));
    auto const others = this->insert(sample("2"));
    std::vector<CapabilityRow> const rows{sample_capability("a", mine, now),
                                          sample_capability("b", mine, now + ms),
                                          sample_capability("c", others, now + ms + ms)};
    for (auto const& row : rows) {
        ASSERT_TRUE(
            this->run_void([&](StoreTransaction& store) { return store.insert_capability(row); }));
    }
    ASSERT_TRUE(
        this->run([](StoreTransaction& store) { return store.revoke_capability("b", now); }));
    Time const later = now + Seconds(5);
    auto const disconnect = [&](Connection const& row, Time at) {
        return this->run([&](StoreTransaction& store) { return store.disconnect(row.id, at); });
    };
    ASSERT_TRUE(disconnect(mine, later));
    EXPECT_FALSE(disconnect(mine, later + ms)) << "which changes nothing any more";
    auto const all = this->run([](StoreTransaction& store) { return store.list_capabilities(); });
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].revoked_at, later);
    EXPECT_EQ(all[1].revoked_at, now) << "it was revoked before";
    EXPECT_FALSE(all[2].revoked_at);
}

TYPED_TEST_P(StoreRows, capabilities_that_ended_are_swept) {
    auto lasting = sample_capability("a", sample(), now);
    lasting.not_after.reset();
    auto expired = sample_capability("b", sample(), now);
    expired.not_after = now - ms;
    auto just_expired = sample_capability("c", sample(), now);
    just_expired.not_after = now;
    auto revoked = sample_capability("d", sample(), now);
    revoked.revoked_at = now - ms;
    for (auto const& row : {lasting, expired, just_expired, revoked}) {
        ASSERT_TRUE(
            this->run_void([&](StoreTransaction& store) { return store.insert_capability(row); }));
    }
    EXPECT_EQ(this->run([](StoreTransaction& store) {
        return store.delete_capabilities_ended_before(now);
    }),
              2U);
    auto const left = this->run([](StoreTransaction& store) { return store.list_capabilities(); });
    ASSERT_EQ(left.size(), 2U);
    EXPECT_EQ(left[0].id, "a");
    EXPECT_EQ(left[1].id, "c");
}

TYPED_TEST_P(StoreRows, keys_and_meta_are_replaced) {
    KeyRow key{7, "token", "active", 0xFEDCBA98U, std::string("wrapped\0", 8), "commit", now};
    auto const put = [&] {
        return this->run_void([&](StoreTransaction& rows) -> Result<void> {
            auto const done = rows.put_key(key);
            return done ? rows.put_meta("ring_version", key.state) : done;
        });
    };
    ASSERT_TRUE(put());
    key.state = "decrypt_only";
    ASSERT_TRUE(put());
    auto const keys = this->run([](StoreTransaction& rows) { return rows.list_keys(); });
    ASSERT_EQ(keys.size(), 1U);
    EXPECT_EQ(keys[0].id, 7U);
    EXPECT_EQ(keys[0].state, "decrypt_only");
    EXPECT_EQ(keys[0].root_id, 0xFEDCBA98U);
    EXPECT_EQ(keys[0].wrapped, key.wrapped);
    EXPECT_EQ(keys[0].commitment, "commit");
    EXPECT_EQ(keys[0].created_at, now);
    auto const meta = [&](std::string const& name) {
        return this->run([&](StoreTransaction& rows) { return rows.get_meta(name); });
    };
    EXPECT_EQ(meta("ring_version"), "decrypt_only");
    EXPECT_FALSE(meta("nothing"));
}

TYPED_TEST_P(StoreRows, events_are_told_newest_first) {
    auto const row = sample();
    for (auto const* type : {"one", "two", "three"}) {
        ASSERT_TRUE(this->run_void([&](StoreTransaction& rows) {
            return rows.append_event({0, now, type, row.id.value(), "{}"});
        }));
    }
    ASSERT_TRUE(this->run_void([&](StoreTransaction& rows) {
        return rows.append_event({0, now, "elsewhere", sample("2").id.value(), "{}"});
    }));
    auto const events =
        this->run([&](StoreTransaction& rows) { return rows.events_of(row.id, 2); });
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].type, "three");
    EXPECT_EQ(events[1].type, "two");
    EXPECT_GT(events[0].seq, events[1].seq);
}

// Group commit: neighbours in one commit must not pay for a failure, nor see what it undid.
TYPED_TEST_P(StoreRows, a_job_that_fails_is_undone_alone) {
    std::size_t seen = 99;
    std::vector<StoreJob> const jobs{
        [](StoreTransaction& rows) { return rows.insert_connection(sample("1")); },
        [](StoreTransaction& rows) -> Result<void> {
            auto const done = rows.insert_connection(sample("2"));
            return done ? fail(ErrorCode::invalid_request, "changed my mind") : done;
        },
        [&](StoreTransaction& rows) -> Result<void> {
            seen = rows.list_connections({}).value().size();
            return rows.insert_connection(sample("3"));
        }};
    auto const results = this->store().transact(jobs);
    ASSERT_EQ(results.size(), 3U);
    EXPECT_TRUE(results[0]);
    ASSERT_FALSE(results[1]);
    EXPECT_EQ(results[1].error().code(), ErrorCode::invalid_request);
    EXPECT_TRUE(results[2]);
    EXPECT_EQ(seen, 1U);
    this->backend_.reopen();
    EXPECT_TRUE(this->find(sample("1")));
    EXPECT_FALSE(this->find(sample("2")));
    EXPECT_TRUE(this->find(sample("3")));
}

TYPED_TEST_P(StoreRows, a_statement_that_fails_spoils_only_its_job) {
    std::vector<StoreJob> const jobs{
        [](StoreTransaction& rows) { return rows.insert_connection(sample("1")); },
        [](StoreTransaction& rows) { return rows.insert_connection(sample("1")); },
        [](StoreTransaction& rows) { return rows.insert_connection(sample("2")); }};
    auto const results = this->store().transact(jobs);
    EXPECT_TRUE(results[0]);
    ASSERT_FALSE(results[1]);
    EXPECT_EQ(results[1].error().code(), ErrorCode::store_conflict);
    EXPECT_TRUE(results[2]);
    EXPECT_TRUE(this->find(sample("2")));
}

TYPED_TEST_P(StoreRows, no_jobs_are_no_trouble) {
    EXPECT_TRUE(this->store().transact({}).empty());
}

REGISTER_TYPED_TEST_SUITE_P(
    StoreRows, a_connection_comes_back_as_it_was, a_new_row_is_nobodys,
    one_connection_a_person_workspace_and_subject, a_connection_is_found_by_whose_it_is,
    a_list_is_read_page_by_page, due_refreshes_come_shortest_life_first_and_only_those_that_can,
    a_scan_leaves_out_workspaces_and_takes_registrations_as_it_is_told,
    D9_what_an_outage_left_overdue_is_spread, the_next_due_moment_respects_a_back_off,
    states_are_set_and_counted, T01_a_login_is_taken_once, expired_logins_are_swept,
    api_keys_are_kept_and_revoked_once, capabilities_are_kept_marked_and_revoked_once,
    capabilities_end_with_their_connection, capabilities_that_ended_are_swept,
    keys_and_meta_are_replaced, events_are_told_newest_first, a_job_that_fails_is_undone_alone,
    a_statement_that_fails_spoils_only_its_job, no_jobs_are_no_trouble);

}  // namespace brickgate::testing

// SPDX-License-Identifier: Apache-2.0
// Spool first: what a crash or a broken database may do to a sign-in whose answer had come.
#include "unit/connect/world.h"
#include "vault/data_folder.h"

namespace brickgate::testing {
namespace {

class Recover : public ::testing::Test, public World {
 protected:
    // The run that asked dies right after the answer reached the spool: all later effects are
    // undone.
    SpoolEntry crash_after_spooling(std::string const& subject = "user-7") {
        MemoryRows as_of_then;
        std::set<std::uint64_t> settled_then;
        spool.on_append = [&] {
            as_of_then = store.rows();
            settled_then = spool.settled;
        };
        EXPECT_TRUE(sign_in(subject));
        spool.on_append = nullptr;
        store.rows() = as_of_then;
        spool.settled = settled_then;
        auto unresolved = spool.take_unresolved();
        EXPECT_EQ(unresolved.size(), 1U);
        return std::move(unresolved.back());
    }
    void recover(SpoolEntry entry) {
        std::vector<SpoolEntry> entries;
        entries.push_back(std::move(entry));
        run_task(login().recover(std::move(entries)));
    }
    SpoolEntry copy(SpoolEntry const& entry) {
        return {entry.seq, entry.identity, entry.received_at, entry.answer.clone()};
    }
    Connection only_connection() {
        EXPECT_EQ(connections(), 1U);
        return connections() == 1 ? store.rows().connections.begin()->second : Connection{};
    }
};

TEST_F(Recover, the_answer_is_on_disk_before_anybody_reads_it) {
    expect_discovery();
    Jar jar;
    auto const attempt = visit_auth(jar);
    std::string const torn = R"({"access_token":"half an answer)";
    http.expect("POST", token_of(origin_a), 200, torn);
    bool spooled = false;
    spool.on_append = [&] {
        spooled = true;
        EXPECT_EQ(http.calls().size(), 2U);
        EXPECT_EQ(connections(), 0U);
    };
    expect_failed(callback(jar, attempt.answer()), ErrorCode::token_malformed);
    EXPECT_TRUE(spooled);
    ASSERT_EQ(spool.kept.size(), 1U);
    EXPECT_TRUE(spool.kept.front().answer.ends_with(torn));
    EXPECT_EQ(spool.kept.front().identity.kind, SpoolKind::login);
}

TEST_F(Recover, what_is_spooled_has_neither_code_nor_verifier) {
    expect_discovery();
    Jar jar;
    auto const attempt = visit_auth(jar);
    expect_good_tokens(attempt);
    expect_keys();
    ASSERT_TRUE(callback(jar, attempt.answer("canary-code")));
    std::string const& kept = spool.kept.front().answer;
    EXPECT_EQ(kept.find("canary-code"), std::string::npos);
    EXPECT_EQ(kept.find(http.calls().at(1).field("code_verifier")), std::string::npos);
    EXPECT_EQ(kept.find(attempt.state()), std::string::npos);
}

TEST_F(Recover, a_sign_in_that_a_crash_cut_off_is_finished_at_the_next_start) {
    auto entry = crash_after_spooling();
    EXPECT_EQ(connections(), 0U);
    clock.pass(3h);  // the id_token is judged as of when it came
    http.expect("GET", jwks_address, 200, jwk_set({&RsaSigner::first()}));
    recover(std::move(entry));
    Connection const row = only_connection();
    EXPECT_EQ(row.principal.sub, "ann@example.com");
    EXPECT_EQ(row.subject, "user-7");
    EXPECT_EQ(row.access_issued_at, clock.now() - 3h);
    EXPECT_TRUE(vault->open_refresh(row)->secret().ct_equal("refresh-token-of-the-sandbox"));
    EXPECT_EQ(event_types(), std::vector<std::string>{"connection.connected"});
    EXPECT_TRUE(spool.take_unresolved().empty());
}

TEST_F(Recover, finishing_it_twice_changes_nothing) {
    auto const entry = crash_after_spooling();
    recover(copy(entry));
    Connection const once = only_connection();
    recover(copy(entry));
    EXPECT_EQ(only_connection().family, once.family);
    EXPECT_EQ(only_connection().generation, once.generation);
    EXPECT_EQ(store.rows().events.size(), 1U);
}

TEST_F(Recover, an_old_answer_does_not_take_the_place_of_a_newer_sign_in) {
    auto const entry = crash_after_spooling();
    clock.pass(1min);
    ASSERT_TRUE(sign_in("user-7"));
    Connection const newer = only_connection();
    recover(copy(entry));
    EXPECT_EQ(only_connection().family, newer.family);
    EXPECT_EQ(only_connection().access_issued_at, newer.access_issued_at);
    EXPECT_TRUE(spool.take_unresolved().empty());
}

TEST_F(Recover, an_old_answer_does_take_the_place_of_an_older_grant) {
    ASSERT_TRUE(sign_in("user-7"));
    clock.pass(1min);
    auto entry = crash_after_spooling();
    recover(std::move(entry));
    EXPECT_EQ(only_connection().family, 2U);
}

TEST_F(Recover, a_connection_that_was_ended_meanwhile_does_not_come_back) {
    auto const entry = crash_after_spooling();
    recover(copy(entry));
    ConnectionId const id = only_connection().id;
    clock.pass(1min);
    ASSERT_TRUE(run_task(vault->disconnect(id, {})));
    spool.settled.clear();
    recover(copy(entry));
    EXPECT_EQ(only_connection().state, ConnectionState::disconnected);
    EXPECT_TRUE(spool.take_unresolved().empty());
}

TEST_F(Recover, a_connection_that_was_ended_before_does_not_stop_a_later_sign_in) {
    ASSERT_TRUE(sign_in("user-7"));
    ASSERT_TRUE(run_task(vault->disconnect(only_connection().id, {})));
    clock.pass(1min);
    auto entry = crash_after_spooling();
    recover(std::move(entry));
    EXPECT_EQ(connections(), 2U);
}

TEST_F(Recover, another_persons_ended_connection_does_not_stop_a_sign_in) {
    auto const entry = crash_after_spooling();
    Jar jar;
    auto const bob = visit_auth(jar, origin_a, "user-7");
    auto claims_of_bob = claims(bob.nonce());
    claims_of_bob["sub"] = "bob@example.com";
    expect_tokens(tokens(RsaSigner::first().sign(claims_of_bob)));
    auto const outcome = callback(jar, bob.answer());
    ASSERT_TRUE(outcome);
    ASSERT_TRUE(run_task(vault->disconnect(outcome->connection.id, {})));
    recover(copy(entry));
    EXPECT_EQ(connections(), 2U);
}

TEST_F(Recover, a_database_that_is_away_for_a_moment_costs_nothing) {
    expect_discovery();
    Jar jar;
    auto const attempt = visit_auth(jar);
    expect_good_tokens(attempt);
    expect_keys();
    spool.on_append = [&] { store.fail_commits(4); };
    auto const outcome = callback(jar, attempt.answer());
    ASSERT_TRUE(outcome) << outcome.error().error.name();
    EXPECT_EQ(connections(), 1U);
    EXPECT_GT(timers.slept(), 0ms);
    EXPECT_TRUE(spool.take_unresolved().empty());
}

// Stored twice, the sign-in's own refresh token would take the place of one that a refresh has
// brought in between, and be presented again.
TEST_F(Recover, a_commit_whose_success_was_not_heard_of_is_not_made_twice) {
    expect_discovery();
    Jar jar;
    auto const attempt = visit_auth(jar);
    expect_good_tokens(attempt);
    expect_keys();
    spool.on_append = [&] { store.lose_success_of(2); };  // after the look for an older one
    auto const outcome = callback(jar, attempt.answer());
    ASSERT_TRUE(outcome) << outcome.error().error.name();
    EXPECT_EQ(connections(), 1U);
    EXPECT_EQ(outcome->connection.family, 1U);
    EXPECT_EQ(outcome->connection.generation, 1U);
    EXPECT_EQ(event_types(), std::vector<std::string>{"connection.connected"});
}

TEST_F(Recover, a_database_that_stays_away_leaves_the_answer_in_the_spool_for_the_next_start) {
    expect_discovery();
    Jar jar;
    auto const attempt = visit_auth(jar);
    expect_good_tokens(attempt);
    expect_keys();
    spool.on_append = [&] { store.fail_commits(1000); };
    expect_failed(callback(jar, attempt.answer()), ErrorCode::store_unavailable);
    EXPECT_LE(timers.slept(), 10s);  // a person waits
    EXPECT_EQ(connections(), 0U);
    auto waiting = spool.take_unresolved();
    ASSERT_EQ(waiting.size(), 1U);

    run_task(login().recover(std::move(waiting)));  // still away: it stays
    waiting = spool.take_unresolved();
    ASSERT_EQ(waiting.size(), 1U);

    store.fail_commits(0);
    run_task(login().recover(std::move(waiting)));
    EXPECT_EQ(connections(), 1U);
    EXPECT_TRUE(spool.take_unresolved().empty());
}

TEST_F(Recover, a_spool_that_fails_does_not_lose_an_answer_that_the_database_can_take) {
    expect_discovery();
    Jar jar;
    auto const attempt = visit_auth(jar);
    expect_good_tokens(attempt);
    expect_keys();
    spool.broken = true;
    EXPECT_TRUE(callback(jar, attempt.answer()));
    EXPECT_EQ(connections(), 1U);
}

TEST_F(Recover, what_is_refused_is_refused_after_a_crash_too_and_dropped) {
    auto entry = crash_after_spooling();
    registration.client.client_id = ClientId("client-2");
    register_anew();
    recover(std::move(entry));
    EXPECT_EQ(connections(), 0U);
    EXPECT_TRUE(spool.take_unresolved().empty());
}

TEST_F(Recover, T17_an_id_token_with_another_nonce_is_refused_after_a_crash_too) {
    expect_discovery();
    Jar jar;
    auto const attempt = visit_auth(jar);
    expect_tokens(tokens(RsaSigner::first().sign(claims("the nonce of another sign-in"))));
    expect_keys();
    expect_failed(callback(jar, attempt.answer()), ErrorCode::id_token_nonce);
    spool.settled.clear();  // as if that run had not come to it
    auto entries = spool.take_unresolved();
    ASSERT_EQ(entries.size(), 1U);
    run_task(login().recover(std::move(entries)));
    EXPECT_EQ(connections(), 0U);
    EXPECT_TRUE(spool.take_unresolved().empty());
}

TEST_F(Recover, entries_that_cannot_be_read_are_dropped_and_those_of_refreshes_left_alone) {
    std::vector<SpoolEntry> entries;
    entries.push_back({1, {SpoolKind::login, "login_x", 0, 0, "x"}, clock.now(), Secret()});
    entries.push_back(
        {2, {SpoolKind::login, "login_y", 0, 0, "y"}, clock.now(), Secret::copy_of("{}\n")});
    entries.push_back({3,
                       {SpoolKind::login, "login_z", 0, 0, "z"},
                       clock.now(),
                       Secret::copy_of("[]\n200\n\n{}")});
    entries.push_back(
        {4, {SpoolKind::refresh, "con_1", 1, 1, "r"}, clock.now(), Secret::copy_of("200\n\n{}")});
    run_task(login().recover(std::move(entries)));
    EXPECT_EQ(spool.settled, (std::set<std::uint64_t>{1, 2, 3}));
    EXPECT_TRUE(http.calls().empty());
}

// The same over the journal that the product writes.
TEST(RecoverFromDisk, an_answer_survives_the_run_that_received_it) {
    auto const folder = std::filesystem::temp_directory_path() /
                        ("brickgate-login-spool-" + std::to_string(getpid()));
    std::filesystem::remove_all(folder);
    SpoolOptions const options{.folder = folder, .node = "node-1", .segment_bytes = 1024 * 1024};
    World world;
    world.expect_discovery();
    {
        auto journal = open_spool(options, *world.keyring, world.random);
        ASSERT_TRUE(journal);
        Login login({world.registrations, *world.vault, **journal, world.http, world.discovery,
                     world.clock, world.random, world.return_to_allowed, 100,
                     [](Time, Time expires) { return expires; }, world.timers});
        LoginWish wish;
        wish.workspace = origin_a;
        auto start = run_task(login.begin(world.registered(), wish));
        ASSERT_TRUE(start);
        Attempt const attempt{std::move(*start)};
        Jar const jar{{attempt.start.cookie_name_suffix,
                       attempt.start.cookie_value.expose(
                           [](std::string_view text) { return std::string(text); })}};
        world.expect_good_tokens(attempt);
        world.http.expect("GET", jwks_address, [&](auto const&) -> HttpAnswer {
            world.store.fail_commits(1000);  // the database breaks between answer and save
            return http_answer(200, jwk_set({&RsaSigner::first()}));
        });
        expect_failed(run_task(login.finish(attempt.answer(), World::cookies_of(jar))),
                      ErrorCode::store_unavailable);
    }
    world.store.fail_commits(0);
    auto journal = open_spool(options, *world.keyring, world.random);
    ASSERT_TRUE(journal);
    Login login({world.registrations, *world.vault, **journal, world.http, world.discovery,
                 world.clock, world.random, world.return_to_allowed, 100,
                 [](Time, Time expires) { return expires; }, world.timers});
    auto entries = (*journal)->take_unresolved();
    ASSERT_EQ(entries.size(), 1U);
    run_task(login.recover(std::move(entries)));
    EXPECT_EQ(world.connections(), 1U);
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace brickgate::testing

// SPDX-License-Identifier: Apache-2.0
// What may come back from a workspace, and what becomes of it.
#include "unit/connect/world.h"

namespace brickgate::testing {
namespace {

class Finish : public ::testing::Test, public World {
 protected:
    // Everything up to the consent page.
    Attempt begun(Jar& jar, std::string const& subject = "") {
        expect_discovery();
        return visit_auth(jar, origin_a, subject);
    }
    Connection only_connection() {
        EXPECT_EQ(connections(), 1U);
        return connections() == 1 ? store.rows().connections.begin()->second : Connection{};
    }
    void expect_no_call_after_discovery() {
        EXPECT_EQ(http.calls().size(), 1U) << "the last: " << http.calls().back().url;
    }
};

TEST_F(Finish, a_good_answer_makes_a_connection_that_can_be_refreshed) {
    LoginWish wish;
    wish.workspace = origin_a;
    wish.subject = "user-7";
    wish.return_to = "https://app.example/done";
    Jar jar;
    expect_discovery();
    auto const attempt = visit_auth(jar, wish);
    expect_good_tokens(attempt);
    expect_keys();
    auto const outcome = callback(jar, attempt.answer());
    ASSERT_TRUE(outcome) << outcome.error().error.name();
    EXPECT_FALSE(outcome->reconnected);
    EXPECT_FALSE(outcome->session_only);
    EXPECT_FALSE(outcome->scope_reduced);
    EXPECT_EQ(outcome->return_to, "https://app.example/done");

    Connection const row = only_connection();
    EXPECT_EQ(row.id, outcome->connection.id);
    EXPECT_EQ(row.state, ConnectionState::active);
    EXPECT_EQ(row.workspace, origin_a);
    EXPECT_EQ(row.issuer.value(), origin_a + "/oidc");
    EXPECT_EQ(row.token_endpoint, token_of(origin_a));
    EXPECT_EQ(row.subject, "user-7");
    EXPECT_EQ(row.principal.sub, "ann@example.com");
    EXPECT_EQ(row.principal.display_name, "Ann Example");
    EXPECT_EQ(row.scopes, (Scopes{"all-apis", "offline_access", "openid"}));
    EXPECT_EQ(row.access_expires_at, clock.now() + 3600s);
    EXPECT_EQ(row.refresh_due_at, clock.now() + 3600s - 20min);
    EXPECT_TRUE(vault->open_access(row)->secret().ct_equal(access_text));
    EXPECT_TRUE(vault->open_refresh(row)->secret().ct_equal("refresh-token-of-the-sandbox"));

    EXPECT_EQ(row.last_attempt, spool.kept.front().identity.attempt);

    ASSERT_EQ(event_types(), std::vector<std::string>{"connection.connected"});
    EXPECT_EQ(store.rows().events.front().connection, row.id.value());
    EXPECT_TRUE(spool.take_unresolved().empty());
    EXPECT_TRUE(store.rows().logins.empty());
}

TEST_F(Finish, the_code_goes_once_in_the_body_on_a_connection_of_its_own) {
    Jar jar;
    auto const attempt = begun(jar);
    expect_good_tokens(attempt);
    expect_keys();
    ASSERT_TRUE(callback(jar, attempt.answer("c/o+d=e")));
    auto const& call = http.calls().at(1);
    EXPECT_EQ(call.url, token_of(origin_a));
    EXPECT_EQ(call.field("grant_type"), "authorization_code");
    EXPECT_EQ(call.field("code"), "c/o d=e");  // "+" in a query is a space
    EXPECT_EQ(call.field("redirect_uri"), "http://localhost:3000/callback");
    EXPECT_EQ(base64url_encode(sha256(call.field("code_verifier"))), attempt.challenge());
    EXPECT_EQ(call.field("client_id"), client_id);
    EXPECT_EQ(call.field("client_secret"), "s3cret");
    EXPECT_TRUE(call.limits.fresh_connection);
    EXPECT_EQ(call.limits.not_after, clock.steady() + 25s);
    EXPECT_EQ(call.limits.too_large, ErrorCode::token_too_large);
    EXPECT_FALSE(call.limits.egress.operator_listed);  // a Databricks name must be a public address
    EXPECT_EQ(http.calls().at(2).authorization, "");   // keys are fetched without credentials
}

TEST_F(Finish, T01_the_right_state_in_a_browser_without_the_cookie_is_refused) {
    Jar jar;
    auto const attempt = begun(jar);
    auto const outcome = callback({}, attempt.answer());
    expect_failed(outcome, ErrorCode::state_cookie_missing);
    EXPECT_EQ(outcome.error().error.http_status(), 403);
    EXPECT_EQ(outcome.error().return_to, "");
    EXPECT_EQ(outcome.error().workspace, "");
    expect_no_call_after_discovery();
    expect_nothing_left();
    // The attempt is used up: its own browser comes too late.
    expect_failed(callback(jar, attempt.answer()), ErrorCode::state_unknown);
}

TEST_F(Finish, T01_a_stranger_does_not_learn_where_the_attempt_would_have_returned_to) {
    LoginWish wish;
    wish.workspace = origin_a;
    wish.return_to = "https://app.example/done";
    expect_discovery();
    Jar jar;
    auto const attempt = visit_auth(jar, wish);
    auto const late = visit_auth(jar, wish);
    auto const early_answer = callback({}, attempt.answer());
    clock.pass(601s);
    auto const late_answer = callback({}, late.answer());
    for (auto const& outcome : {early_answer, late_answer}) {
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().return_to, "");
        EXPECT_EQ(outcome.error().workspace, "");
    }
}

TEST_F(Finish, T01_a_cookie_with_one_bit_changed_is_refused) {
    Jar jar;
    auto const attempt = begun(jar);
    jar.begin()->second.back() ^= 1;
    expect_failed(callback(jar, attempt.answer()), ErrorCode::state_cookie_missing);
    expect_no_call_after_discovery();
    expect_nothing_left();
}

TEST_F(Finish, T01_the_cookie_of_another_attempt_is_refused) {
    Jar jar;
    auto const mine = begun(jar);
    Jar other_jar;
    auto const other = visit_auth(other_jar);
    jar[mine.start.cookie_name_suffix] = other_jar.begin()->second;
    expect_failed(callback(jar, mine.answer()), ErrorCode::state_cookie_missing);
    expect_no_call_after_discovery();
}

TEST_F(Finish, T02_a_forwarded_authorize_url_ends_in_the_victims_browser) {
    Jar attacker;
    auto const attempt = begun(attacker);
    Jar victim{{"00000000", "another sign-in's cookie"}};
    expect_failed(callback(victim, attempt.answer("code-of-the-victim")),
                  ErrorCode::state_cookie_missing);
    expect_no_call_after_discovery();
    expect_nothing_left();
}

TEST_F(Finish, T04_a_callback_that_comes_again_finds_nothing) {
    Jar jar;
    auto const attempt = begun(jar);
    expect_good_tokens(attempt);
    expect_keys();
    ASSERT_TRUE(callback(jar, attempt.answer()));
    for (int i = 0; i < 3; ++i) {
        expect_failed(callback(jar, attempt.answer()), ErrorCode::state_unknown);
    }
    EXPECT_EQ(http.count("POST", token_of(origin_a)), 1U);
    EXPECT_EQ(connections(), 1U);
}

// 200 deliveries at once, over a store that answers from its own thread.
TEST(FinishInParallel, T04_two_hundred_deliveries_of_one_callback_make_one_exchange) {
    World world;
    ThreadedStoreRunner runner(world.store);
    world.vault = std::make_unique<Vault>(runner, *world.envelope, world.clock, world.random);
    world.expect_discovery();
    Jar jar;
    auto const attempt = world.visit_auth(jar);
    world.expect_good_tokens(attempt);
    world.expect_keys();

    boost::asio::io_context context(1);
    std::map<std::string, int> outcomes;
    auto deliver = [](World& w, Jar cookies, std::string query,
                      std::map<std::string, int>& count) -> Task<void> {
        auto const outcome = co_await w.login().finish(query, World::cookies_of(cookies));
        count[outcome ? "ok" : std::string(outcome.error().error.name())] += 1;
    };
    for (int i = 0; i < 200; ++i) {
        spawn(context.get_executor(), deliver(world, jar, attempt.answer(), outcomes));
    }
    context.run();
    EXPECT_EQ(outcomes, (std::map<std::string, int>{{"ok", 1}, {"state_unknown", 199}}));
    EXPECT_EQ(world.http.count("POST", token_of(origin_a)), 1U);
    runner.stop();
}

TEST_F(Finish, T05_a_callback_without_a_state_of_ours_is_refused_whatever_the_cookies_are) {
    Jar jar;
    begun(jar);
    Jar const empty_cookie{{"", ""}, {"e3b0c442", ""}};
    std::string const good(43, 'a');
    for (std::string const& query :
         {std::string(), std::string("code=x"), std::string("code=x&state="),
          "code=x&state=" + good.substr(1), "code=x&state=" + good + "a",
          "code=x&state=" + good.substr(1) + "%00", "code=x&state=" + good.substr(1) + "+",
          "code=x&state=" + good.substr(1) + "=", std::string("code=x&State=") + good}) {
        for (Jar const& cookies : {Jar{}, empty_cookie, jar}) {
            expect_failed(callback(cookies, query), ErrorCode::state_missing);
        }
    }
    expect_failed(callback(jar, "code=x&state=" + std::string(1'000'000, 'a')),
                  ErrorCode::uri_too_long);
    expect_failed(callback(jar, "code=x&state=" + good), ErrorCode::state_unknown);
    expect_no_call_after_discovery();
    EXPECT_EQ(store.rows().logins.size(), 1U);  // nothing of that used up the real attempt
}

TEST_F(Finish, T06_what_is_not_understood_does_not_use_up_the_attempt) {
    Jar jar;
    auto const attempt = begun(jar);
    struct Case {
        std::string query;
        ErrorCode code;
    };
    std::string const state = "&state=" + attempt.state();
    for (auto const& [query, code] : std::vector<Case>{
             {"code=a&code=b" + state, ErrorCode::param_duplicate},
             {"code=a" + state + state, ErrorCode::param_duplicate},
             {"error=x&error=y" + state, ErrorCode::param_duplicate},
             {"code=a&iss=x&iss=x" + state, ErrorCode::param_duplicate},
             {"code=a&error=access_denied" + state, ErrorCode::param_invalid},
             {"code=" + state, ErrorCode::param_invalid},
             {"code=" + std::string(4097, 'a') + state, ErrorCode::param_invalid},
             {"code=a%0d%0ab" + state, ErrorCode::param_invalid},
             {"code=a%zz" + state, ErrorCode::param_invalid},
             {"error=" + std::string(65, 'a') + state, ErrorCode::param_invalid},
             {"error=a%22b" + state, ErrorCode::param_invalid},
             {"foo=1" + state, ErrorCode::param_invalid},
             {"code=a" + state + "&x=" + std::string(9000, 'a'), ErrorCode::uri_too_long}}) {
        expect_failed(callback(jar, query), code);
    }
    expect_no_call_after_discovery();
    expect_good_tokens(attempt);
    expect_keys();
    EXPECT_TRUE(callback(jar, attempt.answer() + "&foo=1&session_state=2"));
}

TEST_F(Finish, T08_a_cookie_that_came_twice_does_not_use_up_the_attempt) {
    Jar jar;
    auto const attempt = begun(jar);
    auto const twice = [](std::string const&) -> Result<PresentedCookie> {
        return fail(ErrorCode::cookie_duplicate, "A cookie came twice.");
    };
    expect_failed(run_task(login().finish(attempt.answer(), twice)), ErrorCode::cookie_duplicate);
    expect_good_tokens(attempt);
    expect_keys();
    EXPECT_TRUE(callback(jar, attempt.answer()));
}

TEST_F(Finish, T11_an_answer_of_another_issuer_reaches_no_server) {
    for (std::string const& iss : {origin_b + "/oidc", origin_a + "/oidc/", origin_a,
                                   std::string("https://DBC-A.cloud.databricks.com/oidc"),
                                   std::string("https://evil.test/oidc")}) {
        World world;
        world.expect_discovery();
        Jar jar;
        auto const attempt = world.visit_auth(jar);
        auto const outcome = world.callback(jar, attempt.answer() + "&iss=" + percent_encode(iss));
        expect_failed(outcome, ErrorCode::iss_mismatch);
        EXPECT_EQ(outcome.error().error.http_status(), 403);
        EXPECT_EQ(world.http.calls().size(), 1U);
        world.expect_nothing_left();
    }
}

TEST_F(Finish, T11_an_error_of_another_issuer_is_a_mix_up_too) {
    Jar jar;
    auto const attempt = begun(jar);
    expect_failed(callback(jar, "error=access_denied&state=" + attempt.state() +
                                    "&iss=" + percent_encode(origin_b + "/oidc")),
                  ErrorCode::iss_mismatch);
    EXPECT_TRUE(event_types().empty());
}

TEST_F(Finish, T11_a_server_that_promises_iss_must_send_it) {
    auto document = discovery_document(origin_a);
    document["authorization_response_iss_parameter_supported"] = true;
    http.expect("GET", discovery_of(origin_a), 200, json::serialize(document));
    Jar jar;
    auto const silent = visit_auth(jar);
    expect_failed(callback(jar, silent.answer()), ErrorCode::iss_missing);
    expect_no_call_after_discovery();

    auto const named = visit_auth(jar);
    expect_good_tokens(named);
    expect_keys();
    EXPECT_TRUE(callback(jar, named.answer() + "&iss=" + percent_encode(origin_a + "/oidc")));
}

TEST_F(Finish, T12_a_host_that_is_no_longer_listed_does_not_see_the_secret) {
    Jar jar;
    auto const attempt = begun(jar);
    registration.hosts = HostAllowList();
    ASSERT_TRUE(registration.hosts.add(origin_b));
    register_anew();
    expect_failed(callback(jar, attempt.answer()), ErrorCode::host_denied);
    expect_no_call_after_discovery();
    expect_nothing_left();
}

TEST_F(Finish, T12_a_row_that_was_tampered_with_does_not_send_the_secret_elsewhere) {
    for (std::string const& endpoint :
         {std::string("https://evil.test/oidc/v1/token"), token_of(origin_b),
          std::string("https://dbc-a.cloud.databricks.com.evil.test/t"), std::string()}) {
        World world;
        world.expect_discovery();
        Jar jar;
        auto const attempt = world.visit_auth(jar);
        world.store.rows().logins.begin()->second.token_endpoint = endpoint;
        expect_failed(world.callback(jar, attempt.answer()), ErrorCode::metadata_endpoint_denied);
        EXPECT_EQ(world.http.calls().size(), 1U);
    }
    World world;
    world.expect_discovery();
    Jar jar;
    auto const attempt = world.visit_auth(jar);
    auto& row = world.store.rows().logins.begin()->second;
    row.issuer = Issuer(origin_b + "/oidc");
    row.token_endpoint = token_of(origin_b);
    expect_failed(world.callback(jar, attempt.answer()), ErrorCode::vault_error);
    EXPECT_EQ(world.http.calls().size(), 1U);
}

TEST_F(Finish, T15_a_stolen_code_is_sent_with_the_verifier_of_the_attempt_it_was_put_into) {
    Jar jar;
    auto const first = begun(jar);
    auto const second = visit_auth(jar);
    http.expect("POST", token_of(origin_a), [&](auto const& call) -> HttpAnswer {
        auto const presented = base64url_encode(sha256(call.field("code_verifier")));
        EXPECT_EQ(presented, second.challenge());
        EXPECT_NE(presented, first.challenge());
        return http_answer(400, R"({"error":"invalid_grant","error_description":"PKCE"})");
    });
    auto const outcome = callback(jar, second.answer("code-of-the-first"));
    expect_failed(outcome, ErrorCode::code_rejected);
    EXPECT_EQ(outcome.error().error.http_status(), 502);
    EXPECT_EQ(connections(), 0U);
    // The verifier is gone with the attempt: no second try with it.
    expect_failed(callback(jar, second.answer("code-of-the-first")), ErrorCode::state_unknown);
    EXPECT_EQ(http.count("POST", token_of(origin_a)), 1U);
}

TEST_F(Finish, T20_more_than_was_asked_for_is_refused) {
    Jar jar;
    auto const attempt = begun(jar);
    auto body = tokens(RsaSigner::first().sign(claims(attempt.nonce())));
    body["scope"] = "all-apis offline_access openid sql";
    expect_tokens(body);
    expect_failed(callback(jar, attempt.answer()), ErrorCode::scope_escalation);
    expect_nothing_left();
}

TEST_F(Finish, T20_less_than_was_asked_for_is_kept_and_said) {
    registration.scopes = {"all-apis", "sql", "offline_access", "openid"};
    Jar jar;
    auto const attempt = begun(jar);
    auto body = tokens(RsaSigner::first().sign(claims(attempt.nonce())));
    body["scope"] = "sql offline_access openid";
    expect_tokens(body);
    expect_keys();
    auto const outcome = callback(jar, attempt.answer());
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->scope_reduced);
    EXPECT_EQ(only_connection().scopes, (Scopes{"sql", "offline_access", "openid"}));
}

TEST_F(Finish, T20_words_whose_effect_is_in_the_answer_are_not_missed) {
    Jar jar;
    auto const attempt = begun(jar);
    auto body = tokens(RsaSigner::first().sign(claims(attempt.nonce())));
    body["scope"] = "all-apis";
    expect_tokens(body);
    expect_keys();
    EXPECT_FALSE(callback(jar, attempt.answer())->scope_reduced);

    auto const silent = visit_auth(jar);
    body = tokens(RsaSigner::first().sign(claims(silent.nonce())));
    body.erase("scope");
    expect_tokens(body);
    auto const outcome = callback(jar, silent.answer());
    EXPECT_FALSE(outcome->scope_reduced);
    EXPECT_EQ(outcome->connection.scopes, registration.scopes);
}

TEST_F(Finish, T22_neither_code_nor_state_nor_verifier_is_in_what_a_refusal_says) {
    Jar jar;
    auto const attempt = begun(jar);
    http.expect("POST", token_of(origin_a), 400, R"({"error":"invalid_grant"})");
    auto const outcome = callback(jar, attempt.answer("canary-code"));
    ASSERT_FALSE(outcome);
    auto const& error = outcome.error().error;
    std::string const said = error.message() + error.detail() + std::string(error.hint());
    EXPECT_EQ(said.find("canary-code"), std::string::npos);
    EXPECT_EQ(said.find(attempt.state()), std::string::npos);
    EXPECT_EQ(said.find(http.calls().back().field("code_verifier")), std::string::npos);
}

TEST_F(Finish, a_person_who_declines_is_told_so_and_the_app_hears_of_it) {
    LoginWish wish;
    wish.workspace = origin_a;
    wish.subject = "user-7";
    wish.return_to = "https://app.example/done";
    Jar jar;
    expect_discovery();
    auto const attempt = visit_auth(jar, wish);
    auto const outcome = callback(
        jar, "error=access_denied&error_description=User%20said%20no&state=" + attempt.state());
    expect_failed(outcome, ErrorCode::access_denied);
    EXPECT_EQ(outcome.error().return_to, "https://app.example/done");
    EXPECT_EQ(outcome.error().workspace, origin_a);
    EXPECT_EQ(outcome.error().error.detail(), "User said no");
    ASSERT_EQ(event_types(), std::vector<std::string>{"login.denied"});
    EXPECT_NE(store.rows().events.front().data.find("user-7"), std::string::npos);
    expect_no_call_after_discovery();
    expect_nothing_left();
}

TEST_F(Finish, T24_another_servers_words_are_cleaned_before_anybody_sees_them) {
    Jar jar;
    auto const attempt = begun(jar);
    auto const outcome = callback(jar, "error=server_error&error_description=a%0Ab%E2%80%AEc%FFd" +
                                           std::string("&state=") + attempt.state());
    expect_failed(outcome, ErrorCode::server_error);
    EXPECT_EQ(outcome.error().error.detail(), "server_error: abcd");
    EXPECT_TRUE(event_types().empty());
}

TEST_F(Finish, what_a_token_endpoint_refuses_has_a_code_of_its_own_and_leaves_nothing) {
    struct Case {
        int status;
        std::string body;
        ErrorCode code;
    };
    for (auto const& [status, body, code] : std::vector<Case>{
             {401, R"({"error":"invalid_client"})", ErrorCode::invalid_client},
             {400, R"({"error":"unauthorized_client"})", ErrorCode::unauthorized_client},
             {400, R"({"error":"invalid_grant"})", ErrorCode::code_rejected},
             {400, R"({"error":"invalid_scope"})", ErrorCode::invalid_scope},
             {400, R"({"error":"unsupported_grant_type"})", ErrorCode::unsupported_grant_type},
             {500, "oops", ErrorCode::server_error},
             {503, "", ErrorCode::temporarily_unavailable},
             {429, "", ErrorCode::rate_limited},
             {403, "<html>blocked</html>", ErrorCode::host_blocked},
             {200, "<html>sign in</html>", ErrorCode::host_blocked},
             {307, "", ErrorCode::host_misconfigured},
             {200, "{}", ErrorCode::token_type_unknown},
             {200, R"({"token_type":"bearer"})", ErrorCode::token_malformed},
             {200, R"({"access_token":"a","access_token":"b","token_type":"bearer"})",
              ErrorCode::token_duplicate_key},
             {200, R"({"access_token":"a","token_type":"mac"})", ErrorCode::token_type_unknown},
             {200, R"({"access_token":)", ErrorCode::token_malformed}}) {
        World world;
        world.expect_discovery();
        Jar jar;
        auto const attempt = world.visit_auth(jar);
        world.http.expect("POST", token_of(origin_a), status, body);
        auto const outcome = world.callback(jar, attempt.answer());
        expect_failed(outcome, code);
        EXPECT_EQ(world.spool.kept.size(), 1U) << body;
        world.expect_nothing_left();
    }
}

TEST_F(Finish, a_request_that_never_left_says_why) {
    Jar jar;
    auto const attempt = begun(jar);
    http.expect_failure("POST", token_of(origin_a), ErrorCode::tls_failed, Sent::not_sent);
    expect_failed(callback(jar, attempt.answer()), ErrorCode::tls_failed);
    EXPECT_TRUE(spool.kept.empty());
    expect_nothing_left();
}

TEST_F(Finish, a_lost_answer_is_an_unknown_outcome_and_nothing_is_sent_again) {
    Jar jar;
    auto const attempt = begun(jar);
    http.expect_failure("POST", token_of(origin_a), ErrorCode::upstream_timeout, Sent::maybe_sent);
    expect_failed(callback(jar, attempt.answer()), ErrorCode::outcome_unknown);
    EXPECT_EQ(http.count("POST", token_of(origin_a)), 1U);
    expect_nothing_left();
}

TEST_F(Finish, T34_an_endless_answer_keeps_its_own_code) {
    Jar jar;
    auto const attempt = begun(jar);
    http.expect_failure("POST", token_of(origin_a), ErrorCode::token_too_large, Sent::maybe_sent);
    expect_failed(callback(jar, attempt.answer()), ErrorCode::token_too_large);
}

TEST_F(Finish, a_grant_without_refresh_token_is_kept_and_said_to_be_short) {
    Jar jar;
    auto const attempt = begun(jar);
    auto body = tokens(RsaSigner::first().sign(claims(attempt.nonce())));
    body.erase("refresh_token");
    expect_tokens(body);
    expect_keys();
    auto const outcome = callback(jar, attempt.answer());
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->session_only);
    EXPECT_TRUE(only_connection().sealed_refresh.empty());
    EXPECT_FALSE(only_connection().refresh_due_at);
}

TEST_F(Finish, the_same_person_comes_back_to_the_same_connection_with_a_new_family) {
    auto const first = sign_in("user-7");
    ASSERT_TRUE(first);
    clock.pass(1h - 1s);
    auto const again = sign_in("user-7");
    ASSERT_TRUE(again) << again.error().error.name();
    EXPECT_TRUE(again->reconnected);
    EXPECT_EQ(again->connection.id, first->connection.id);
    EXPECT_EQ(only_connection().family, 2U);
    EXPECT_GT(only_connection().generation, first->connection.generation);
    ASSERT_EQ(store.rows().events.size(), 2U);
    EXPECT_NE(store.rows().events.at(0).data.find("\"reconnected\":false"), std::string::npos);
    EXPECT_NE(store.rows().events.at(1).data.find("\"reconnected\":true"), std::string::npos);
    EXPECT_EQ(store.rows().events.at(1).connection, first->connection.id.value());
}

TEST_F(Finish, another_person_another_subject_and_another_workspace_are_other_connections) {
    ASSERT_TRUE(sign_in("user-7"));
    ASSERT_TRUE(sign_in("user-8"));
    Jar jar;
    auto const other_person = visit_auth(jar, origin_a, "user-7");
    auto body = claims(other_person.nonce());
    body["sub"] = "bob@example.com";
    expect_tokens(tokens(RsaSigner::first().sign(body)));
    ASSERT_TRUE(callback(jar, other_person.answer()));
    expect_discovery(origin_b);
    auto const elsewhere = visit_auth(jar, origin_b, "user-7");
    expect_good_tokens(elsewhere, origin_b);
    ASSERT_TRUE(callback(jar, elsewhere.answer()));
    EXPECT_EQ(connections(), 4U);
}

TEST_F(Finish, the_terminals_own_redirect_address_is_the_one_that_the_code_is_redeemed_with) {
    LoginWish wish;
    wish.workspace = origin_a;
    wish.redirect_uri = RedirectUri("http://localhost:8020");
    Jar jar;
    expect_discovery();
    auto const attempt = visit_auth(jar, wish);
    expect_good_tokens(attempt);
    expect_keys();
    ASSERT_TRUE(callback(jar, attempt.answer()));
    EXPECT_EQ(http.calls().at(1).field("redirect_uri"), "http://localhost:8020");
}

TEST_F(Finish, the_tutorials_token_endpoint_gets_the_code_and_scim_says_who_signed_in) {
    registration.fixed_workspace = *registration.hosts.admit(origin_a);
    registration.endpoints =
        FixedEndpoints{origin_a + "/oauth2/authorize", origin_a + "/oauth2/token", ""};
    Jar jar;
    auto const attempt = visit_auth(jar, LoginWish{});
    http.expect("POST", origin_a + "/oauth2/token", 200, json::serialize(tokens("")));
    http.expect("GET", me_of(origin_a), 200,
                R"({"id":"42","userName":"ann@example.com","displayName":"Ann"})");
    auto const outcome = callback(jar, attempt.answer());
    ASSERT_TRUE(outcome) << outcome.error().error.name();
    EXPECT_EQ(only_connection().principal.user_name, "ann@example.com");
    EXPECT_EQ(only_connection().token_endpoint, origin_a + "/oauth2/token");
}

TEST_F(Finish, a_full_spool_refuses_before_the_code_is_sent) {
    Jar jar;
    auto const attempt = begun(jar);
    spool.full = true;
    expect_failed(callback(jar, attempt.answer()), ErrorCode::spool_full);
    expect_no_call_after_discovery();
}

}  // namespace
}  // namespace brickgate::testing

// SPDX-License-Identifier: Apache-2.0
// The judge itself: a verdict too mild here would call a gateway good that loses grants.
#include "sandbox/grants.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "base/json.h"
#include "support/seeded_random.h"

namespace brickgate::sandbox {
namespace {

using namespace std::chrono_literals;

std::string const verifier = "a-verifier-of-forty-three-characters-and-more";
Time const start{Seconds(1'800'000'000)};

struct Granted : ::testing::Test {
    Granted() {
        grants.apps = {{"app", "secret", {"http://localhost/cb"}, "App"},
                       {"limited", "secret", {"http://localhost/cb"}, "App", {"sql", "openid"}}};
    }
    std::string code(std::string const& scope = "all-apis offline_access") {
        AuthorizeRequest const request{
            "app", "http://localhost/cb", scope, "s", "n", base64url_encode(sha256(verifier)),
            "S256"};
        return grants.make_code(request, {"ada@example.com", "Ada"}, now);
    }
    auto redeem(std::string const& from, std::string const& client = "app",
                std::string const& redirect = "http://localhost/cb",
                std::string const& proof = verifier) {
        return grants.redeem(from, client, redirect, proof, now);
    }
    auto refresh(std::string const& token, std::string const& client = "app",
                 std::string const& scope = "") {
        return grants.refresh(token, client, scope, now);
    }
    std::string verdict(std::expected<Issued, OAuthFailure> const& outcome) {
        return outcome ? outcome->verdict : outcome.error().verdict;
    }
    json::object family(std::string const& id) {
        for (auto const& entry : grants.families(now)) {
            if (entry.as_object().at("id").as_string() == id) {
                return entry.as_object();
            }
        }
        return {};
    }

    testing::SeededRandom random;
    Grants grants{random};
    Time now = start;
};

TEST_F(Granted, a_code_is_redeemed_once_and_its_second_use_ends_what_the_first_gave) {
    auto const once = code();
    auto const first = redeem(once);
    ASSERT_TRUE(first);
    EXPECT_TRUE(first->refresh_token.starts_with("doau"));
    auto const second = redeem(once);
    EXPECT_EQ(second.error().error, "invalid_grant");
    EXPECT_EQ(second.error().verdict, "code used again: family revoked");
    EXPECT_EQ(verdict(refresh(first->refresh_token)), "family is revoked");
}

TEST_F(Granted, T15_a_code_fits_its_client_its_redirect_uri_and_its_verifier_only) {
    struct Row {
        std::string client, redirect, proof, verdict, error;
    };
    for (Row const& row :
         {Row{"limited", "http://localhost/cb", verifier, "code of another client",
              "invalid_grant"},
          Row{"app", "http://localhost/cb/", verifier, "another redirect_uri than at authorize",
              "invalid_grant"},
          Row{"app", "", verifier, "another redirect_uri than at authorize", "invalid_grant"},
          Row{"app", "http://localhost/cb", "", "code_verifier missing", "invalid_request"},
          Row{"app", "http://localhost/cb", verifier + "x", "wrong code_verifier", "invalid_grant"},
          Row{"app", "http://localhost/cb", base64url_encode(sha256(verifier)),
              "wrong code_verifier", "invalid_grant"}}) {
        auto const known = code();
        auto const outcome = redeem(known, row.client, row.redirect, row.proof);
        ASSERT_FALSE(outcome) << row.verdict;
        EXPECT_EQ(outcome.error().verdict, row.verdict);
        EXPECT_EQ(outcome.error().error, row.error);
        EXPECT_EQ(verdict(redeem(known)), "code used again") << "a failed try uses it up as well";
    }
    EXPECT_EQ(verdict(redeem("dcode0")), "unknown code");
}

TEST_F(Granted, a_code_lives_for_sixty_seconds) {
    auto const early = code();
    auto const late = code();
    now += 59s;
    EXPECT_TRUE(redeem(early));
    now += 1s;
    EXPECT_EQ(verdict(redeem(late)), "code expired");
}

TEST_F(Granted, no_refresh_token_without_offline_access) {
    auto const issued = redeem(code("all-apis"));
    ASSERT_TRUE(issued);
    EXPECT_EQ(issued->refresh_token, "");
    EXPECT_EQ(family(issued->family).at("living_refresh_token"), "");
}

// Table D.6 rests on this one: what a second presentation of a used token means in each mode.
TEST_F(Granted, what_becomes_of_a_used_refresh_token_in_each_mode) {
    struct Row {
        std::string mode;
        Seconds wait;
        std::string verdict;
        bool successor_works;
        bool alive;
    };
    for (Row const& row : {Row{"reusable", 0s, "refreshed", true, true},
                           Row{"reusable", 3600s, "refreshed", true, true},
                           Row{"grace", 0s, "repeated within the grace period", true, true},
                           Row{"grace", 60s, "repeated within the grace period", true, true},
                           Row{"grace", 61s, "reuse refused", true, true},
                           Row{"strict", 0s, "reuse refused", true, true},
                           Row{"revoke", 0s, "reuse: family revoked", false, false}}) {
        SCOPED_TRACE(row.mode + " after " + std::to_string(row.wait.count()));
        grants.settings.refresh_mode = row.mode;
        auto const first = redeem(code());
        auto const second = refresh(first->refresh_token);
        ASSERT_TRUE(second);
        grants.register_access(*second, "access of the second", now);
        EXPECT_EQ(second->refresh_token == first->refresh_token, row.mode == "reusable");
        now += row.wait;
        auto const again = refresh(first->refresh_token);
        EXPECT_EQ(verdict(again), row.verdict);
        if (row.mode == "grace" && again) {
            EXPECT_EQ(again->refresh_token, second->refresh_token) << "the lost answer's token";
        }
        EXPECT_EQ(family(first->family).at("alive"), row.alive);
        EXPECT_EQ(family(first->family).at("reuses"), again ? 0U : 1U);
        EXPECT_EQ(grants.access("access of the second", now).has_value(),
                  row.alive && row.wait < grants.settings.access_ttl)
            << "reuse ends the fresh access token too";
        EXPECT_EQ(refresh(second->refresh_token).has_value(), row.successor_works);
    }
}

TEST_F(Granted, grace_is_for_the_last_token_only) {
    grants.settings.refresh_mode = "grace";
    auto const first = redeem(code());
    auto const second = refresh(first->refresh_token);
    auto const third = refresh(second->refresh_token);
    EXPECT_EQ(verdict(refresh(first->refresh_token)), "reuse refused");
    EXPECT_EQ(verdict(refresh(second->refresh_token)), "repeated within the grace period");
    EXPECT_TRUE(refresh(third->refresh_token));
}

TEST_F(Granted, the_judge_counts_each_presentation) {
    auto const first = redeem(code());
    auto const second = refresh(first->refresh_token);
    (void)refresh(first->refresh_token);
    (void)refresh(first->refresh_token);
    auto const seen = family(first->family);
    EXPECT_EQ(seen.at("presented").at(token_hash(first->refresh_token)), 3);
    EXPECT_EQ(seen.at("living_refresh_token").as_string(), token_hash(second->refresh_token));
    EXPECT_EQ(seen.at("generation"), 2);
}

TEST_F(Granted, a_refresh_token_ends_so_long_after_its_own_issue) {
    grants.settings.refresh_ttl = 100s;
    auto const first = redeem(code());
    now += 99s;
    auto const second = refresh(first->refresh_token);
    ASSERT_TRUE(second);
    now += 99s;
    auto const third = refresh(second->refresh_token);
    ASSERT_TRUE(third);
    now += 100s;
    EXPECT_EQ(family(first->family).at("alive"), false);
    auto const late = refresh(third->refresh_token);
    EXPECT_EQ(verdict(late), "refresh token expired");
    EXPECT_EQ(late.error().description, "Refresh token is invalid");
}

TEST_F(Granted, a_session_ends_however_often_it_was_refreshed) {
    grants.settings.session_ttl = 150s;
    auto issued = redeem(code());
    for (int i = 0; i < 2; ++i) {
        now += 70s;
        issued = refresh(issued->refresh_token);
        ASSERT_TRUE(issued);
    }
    now += 10s;
    EXPECT_EQ(verdict(refresh(issued->refresh_token)), "session ended");
}

TEST_F(Granted, another_client_cannot_refresh_and_ends_nothing) {
    auto const issued = redeem(code());
    EXPECT_EQ(verdict(refresh(issued->refresh_token, "limited")),
              "refresh token of another client");
    EXPECT_TRUE(refresh(issued->refresh_token));
}

TEST_F(Granted, a_refresh_may_narrow_but_not_widen_and_a_refusal_spends_nothing) {
    auto const issued = redeem(code("sql offline_access"));
    auto const wider = refresh(issued->refresh_token, "app", "sql all-apis");
    EXPECT_EQ(wider.error().error, "invalid_scope");
    auto const narrower = refresh(issued->refresh_token, "app", "sql");
    ASSERT_TRUE(narrower);
    EXPECT_EQ(narrower->scope, "sql");
    EXPECT_EQ(refresh(narrower->refresh_token)->scope, "sql offline_access");
}

TEST_F(Granted, an_answer_without_refresh_token_leaves_the_old_one_alive) {
    auto const issued = redeem(code());
    grants.settings.issue = "no_refresh_token";
    auto const bare = refresh(issued->refresh_token);
    EXPECT_EQ(bare->refresh_token, "");
    grants.settings.issue = "all";
    EXPECT_TRUE(refresh(issued->refresh_token));
}

TEST_F(Granted, older_servers_call_a_dead_token_an_invalid_request) {
    grants.settings.dead_token_error = "invalid_request";
    auto const unknown = refresh("doau0");
    EXPECT_EQ(unknown.error().error, "invalid_request");
    EXPECT_EQ(unknown.error().description, "Refresh token is invalid");
}

TEST_F(Granted, access_tokens_end_by_time_by_word_and_with_their_family) {
    auto const issued = redeem(code());
    grants.register_access(*issued, "t1", now);
    grants.register_access(*issued, "t2", now);
    EXPECT_EQ(grants.access("t1", now)->person.email, "ada@example.com");
    EXPECT_EQ(grants.access("t1", now)->scope, "all-apis offline_access");
    EXPECT_FALSE(grants.access("t1", now + 3600s));
    EXPECT_FALSE(grants.access("t3", now));
    grants.expire_access_tokens();
    EXPECT_FALSE(grants.access("t2", now));
    grants.register_access(*issued, "t4", now);
    grants.revoke(issued->family);
    EXPECT_FALSE(grants.access("t4", now));
}

TEST_F(Granted, an_app_with_scopes_may_ask_for_those_only) {
    EXPECT_EQ(grants.not_assigned(*grants.app("limited"), "sql openid"), "");
    EXPECT_EQ(grants.not_assigned(*grants.app("limited"), "all-apis sql email"), "all-apis email");
    EXPECT_EQ(grants.not_assigned(*grants.app("app"), "anything"), "");
}

TEST_F(Granted, after_a_restart_a_reuse_is_still_a_reuse) {
    grants.settings.refresh_mode = "revoke";
    auto const first = redeem(code());
    auto const second = refresh(first->refresh_token);
    grants.register_access(*second, "token", now);
    auto const kept = parse_json(json::serialize(grants.snapshot()))->as_object();

    Grants later{random};
    later.restore(kept);
    EXPECT_EQ(later.settings.refresh_mode, "revoke");
    EXPECT_TRUE(later.access("token", now));
    EXPECT_EQ(later.families(now), grants.families(now));
    auto const reuse = later.refresh(first->refresh_token, "app", "", now);
    EXPECT_EQ(reuse.error().verdict, "reuse: family revoked");
    EXPECT_FALSE(later.access("token", now));
}

TEST_F(Granted, a_damaged_snapshot_is_read_as_far_as_it_goes) {
    auto const damaged = parse_json(
        R"({"families":[1,{"id":"f","presented":{"x":"y"}}],"access":{},"settings":{"refresh_mode":7},)"
        R"("refresh_tokens":[{"hash":"h","family":"nobody"}]})");
    grants.restore(damaged->as_object());
    EXPECT_EQ(grants.settings.refresh_mode, "strict");
    EXPECT_EQ(grants.families(now).size(), 1U);
}

TEST_F(Granted, what_is_over_is_forgotten_so_that_a_long_run_does_not_grow) {
    auto const issued = redeem(code());
    for (int i = 0; i < 5000; ++i) {
        now += 3600s;
        grants.register_access(*issued, "token " + std::to_string(i), now);
    }
    EXPECT_LE(grants.snapshot().at("access").as_array().size(), 2048U);
    EXPECT_TRUE(grants.access("token 4999", now));
}

}  // namespace
}  // namespace brickgate::sandbox

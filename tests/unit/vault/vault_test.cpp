// SPDX-License-Identifier: Apache-2.0
#include "vault/vault.h"

#include <fstream>

#include "base/encoding.h"
#include "support/temp_folder.h"
#include "unit/vault/vault_world.h"
#include "vault/sqlite_store.h"

namespace brickgate::testing {
namespace {

using VaultTest = VaultWorld;

TEST_F(VaultTest, a_first_sign_in_makes_a_connection) {
    auto const row = connect("access-1", "refresh-1");
    EXPECT_THAT(row.id.value(), ::testing::MatchesRegex("con_[0-9a-f]{32}"));
    EXPECT_EQ(row.family, 1U);
    EXPECT_EQ(row.generation, 1U);
    auto const kept = row_of(row.id);
    EXPECT_EQ(kept.tenant, "default");
    EXPECT_EQ(kept.state, ConnectionState::active);
    EXPECT_EQ(kept.access_issued_at, clock_.now());
    EXPECT_EQ(kept.access_expires_at, clock_.now() + Seconds(3600));
    EXPECT_EQ(kept.refresh_due_at, clock_.now() + Seconds(2400));
    EXPECT_EQ(kept.created_at, clock_.now());
    EXPECT_EQ(kept.current_fingerprint, vault_.fingerprint("access-1"));
    EXPECT_EQ(plain(vault_.open_access(kept)), "access-1");
    EXPECT_EQ(plain(vault_.open_refresh(kept)), "refresh-1");
    ASSERT_EQ(store_.rows().events.size(), 1U);
    EXPECT_EQ(store_.rows().events[0].connection, row.id.value());
}

TEST_F(VaultTest, a_second_sign_in_keeps_the_id_and_never_repeats_a_generation) {
    auto const first = connect("access-1", "refresh-1");
    clock_.pass(Seconds(60));
    auto const second = connect("access-2", "refresh-2");
    EXPECT_EQ(second.id, first.id);
    EXPECT_EQ(second.family, 2U);
    EXPECT_EQ(second.generation, 2U);
    auto const kept = row_of(first.id);
    EXPECT_EQ(plain(vault_.open_access(kept)), "access-2");
    EXPECT_EQ(plain(vault_.open_refresh(kept)), "refresh-2");
    EXPECT_EQ(kept.created_at, first.created_at);
    EXPECT_EQ(kept.previous_fingerprint, vault_.fingerprint("access-1"));
}

TEST_F(VaultTest, a_sign_in_after_the_end_is_a_new_connection) {
    auto const first = connect("access-1", "refresh-1");
    auto const ended = run_task(
        vault_.disconnect(first.id, {{0, clock_.now(), "connection.disconnected", "", "{}"}}));
    EXPECT_TRUE(ended.value());
    auto const again = run_task(vault_.disconnect(first.id, {{0, clock_.now(), "twice", "", ""}}));
    EXPECT_FALSE(again.value());
    EXPECT_EQ(plain(vault_.open_access(row_of(first.id))), "error: vault_error");
    EXPECT_NE(connect("access-2", "refresh-2").id, first.id);
    EXPECT_THAT(event_types(), ::testing::ElementsAre("connection.made", "connection.disconnected",
                                                      "connection.made"));
}

TEST_F(VaultTest, a_grant_without_refresh_token_is_not_scheduled) {
    auto const row = connect("access-1", std::nullopt);
    EXPECT_TRUE(row.sealed_refresh.empty());
    EXPECT_FALSE(row_of(row.id).refresh_due_at);
    EXPECT_EQ(plain(vault_.open_access(row_of(row.id))), "access-1");
}

TEST_F(VaultTest, what_could_not_be_committed_is_an_error_and_leaves_nothing) {
    store_.fail_commits(1);
    auto const lost = run_task(vault_.connect(wanted(), fresh("access", "refresh"), {}));
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code(), ErrorCode::store_unavailable);
    EXPECT_TRUE(store_.rows().connections.empty());
}

TEST_F(VaultTest, a_refresh_moves_both_tokens_on) {
    auto const row = connect("access-1", "refresh-1");
    auto claimed = claim(row);
    ASSERT_TRUE(claimed && *claimed);
    EXPECT_EQ(plain(Result<RefreshToken>((*claimed)->refresh_token.clone())), "refresh-1");
    auto const saved =
        run_task(vault_.save((*claimed)->row, "try1", fresh("access-2", "refresh-2"),
                             &(*claimed)->refresh_token, {{0, clock_.now(), "saved", "", "{}"}}));
    ASSERT_TRUE(saved);
    EXPECT_EQ(saved->outcome, SaveOutcome::saved);
    ASSERT_TRUE(saved->row);
    EXPECT_EQ(saved->row->generation, 2U);
    EXPECT_EQ(plain(vault_.open_access(*saved->row)), "access-2");
    EXPECT_EQ(plain(vault_.open_refresh(*saved->row)), "refresh-2");
    EXPECT_EQ(saved->row->same_refresh_token_count, 0U);
    EXPECT_THAT(event_types(), ::testing::ElementsAre("connection.made", "saved"));
    auto const again =
        run_task(vault_.save((*claimed)->row, "try1", fresh("access-2", "refresh-2"),
                             &(*claimed)->refresh_token, {{0, clock_.now(), "saved", "", "{}"}}));
    EXPECT_EQ(again->outcome, SaveOutcome::already_saved);
    EXPECT_EQ(store_.rows().events.size(), 2U) << "told once";
}

TEST_F(VaultTest, an_answer_with_a_refresh_token_needs_no_old_one_and_one_without_says_so) {
    auto const row = connect("access-1", "refresh-1");
    auto const claimed = claim(row);
    auto const lacking = run_task(
        vault_.save((*claimed)->row, "try1", fresh("access-2", std::nullopt), nullptr, {}));
    ASSERT_FALSE(lacking);
    EXPECT_EQ(lacking.error().code(), ErrorCode::vault_error);
    auto const saved =
        run_task(vault_.save((*claimed)->row, "try1", fresh("access-2", "refresh-2"), nullptr, {}));
    ASSERT_TRUE(saved);
    EXPECT_EQ(plain(vault_.open_refresh(*saved->row)), "refresh-2");
    EXPECT_EQ(saved->row->same_refresh_token_count, 0U);
}

TEST_F(VaultTest, an_answer_without_refresh_token_keeps_the_old_one) {
    auto row = connect("access-1", "refresh-1");
    for (unsigned round = 1; round <= 3; ++round) {
        auto claimed = claim(row);
        ASSERT_TRUE(claimed && *claimed);
        auto const same = round == 2 ? std::optional<std::string>("refresh-1") : std::nullopt;
        auto const saved = run_task(vault_.save((*claimed)->row, "try", fresh("access", same),
                                                &(*claimed)->refresh_token, {}));
        row = saved->row.value();
        EXPECT_EQ(plain(vault_.open_refresh(row)), "refresh-1");
        EXPECT_EQ(row.same_refresh_token_count, round);
    }
}

// A good token that comes second is kept beside the current one, and takes its place instead of
// giving up (D.5 T4, T5). Both tokens must open as the new generation.
TEST_F(VaultTest, an_alternative_is_promoted_instead_of_giving_up) {
    auto const row = connect("access-1", "refresh-1");
    auto const first = claim(row, "try1");
    auto const second = claim(row, "try2");
    ASSERT_TRUE(*first && *second);
    auto const won = run_task(vault_.save((*second)->row, "try2", fresh("access-2", "refresh-2"),
                                          &(*second)->refresh_token, {}));
    ASSERT_EQ(won->outcome, SaveOutcome::saved);
    auto const late = run_task(vault_.save((*first)->row, "try1", fresh("access-3", "refresh-3"),
                                           &(*first)->refresh_token, {}));
    EXPECT_EQ(late->outcome, SaveOutcome::superseded);
    EXPECT_EQ(plain(vault_.open_refresh(*late->row)), "refresh-2");
    auto const third = claim(*late->row, "try3");
    auto const failed =
        run_task(vault_.fail_fenced(fence_of((*third)->row), ReauthReason::revoked, "invalid_grant",
                                    {{0, clock_.now(), "connection.reauth_required", "", "{}"}}));
    ASSERT_TRUE(failed);
    EXPECT_TRUE(failed->promoted);
    EXPECT_FALSE(failed->fenced_out);
    auto const kept = row_of(row.id);
    EXPECT_EQ(kept.state, ConnectionState::active);
    EXPECT_EQ(kept.generation, 3U);
    EXPECT_EQ(plain(vault_.open_refresh(kept)), "refresh-3");
    EXPECT_EQ(plain(vault_.open_access(kept)), "access-2");
    EXPECT_THAT(event_types(), ::testing::ElementsAre("connection.made"));
}

TEST_F(VaultTest, an_alternative_is_promoted_though_the_access_token_does_not_open) {
    auto const row = connect("access-1", "refresh-1");
    auto const first = claim(row, "try1");
    auto const second = claim(row, "try2");
    auto const won = run_task(vault_.save((*second)->row, "try2", fresh("access-2", "refresh-2"),
                                          &(*second)->refresh_token, {}));
    (void)run_task(vault_.save((*first)->row, "try1", fresh("access-3", "refresh-3"),
                               &(*first)->refresh_token, {}));
    store_.rows().connections.at(row.id.value()).sealed_access[40] ^= 1;
    auto const third = claim(*won->row, "try3");
    auto const failed = run_task(
        vault_.fail_fenced(fence_of((*third)->row), ReauthReason::revoked, "invalid_grant", {}));
    EXPECT_TRUE(failed->promoted);
    auto const kept = row_of(row.id);
    EXPECT_EQ(kept.state, ConnectionState::active);
    EXPECT_EQ(plain(vault_.open_refresh(kept)), "refresh-3");
    EXPECT_TRUE(kept.sealed_access.empty());
    EXPECT_LE(kept.access_expires_at, clock_.now()) << "nothing is served before it is renewed";
    EXPECT_EQ(kept.refresh_due_at, clock_.now());
}

TEST_F(VaultTest, an_alternative_that_does_not_open_is_none) {
    auto const row = connect("access-1", "refresh-1");
    store_.rows().connections.at(row.id.value()).sealed_alt_refresh = "nonsense";
    auto const claimed = claim(row);
    auto const failed = run_task(
        vault_.fail_fenced(fence_of((*claimed)->row), ReauthReason::revoked, "invalid_grant",
                           {{0, clock_.now(), "connection.reauth_required", "", "{}"}}));
    EXPECT_FALSE(failed->promoted);
    EXPECT_FALSE(failed->fenced_out);
    EXPECT_EQ(row_of(row.id).state, ConnectionState::reauth_required);
    EXPECT_EQ(event_types().back(), "connection.reauth_required");
}

TEST_F(VaultTest, a_failure_that_comes_late_changes_and_tells_nothing) {
    auto const row = connect("access-1", "refresh-1");
    auto const first = claim(row, "try1");
    ASSERT_TRUE(*claim(row, "try2"));
    auto const failed =
        run_task(vault_.fail_fenced(fence_of((*first)->row), ReauthReason::revoked, "invalid_grant",
                                    {{0, clock_.now(), "no", "", ""}}));
    EXPECT_TRUE(failed->fenced_out);
    auto const backed_off =
        run_task(vault_.back_off(fence_of((*first)->row), {}, {{0, clock_.now(), "no", "", ""}}));
    EXPECT_FALSE(backed_off.value());
    EXPECT_THAT(event_types(), ::testing::ElementsAre("connection.made"));
}

TEST_F(VaultTest, a_late_answer_of_a_family_that_was_replaced_is_dropped) {
    auto const row = connect("access-1", "refresh-1");
    auto const claimed = claim(row);
    auto const next = connect("access-2", "refresh-2");
    auto const late = run_task(vault_.save((*claimed)->row, "try1", fresh("access-9", "refresh-9"),
                                           &(*claimed)->refresh_token, {}));
    EXPECT_EQ(late->outcome, SaveOutcome::family_changed);
    EXPECT_TRUE(row_of(row.id).sealed_alt_refresh.empty());
    EXPECT_EQ(plain(vault_.open_refresh(row_of(row.id))), "refresh-2");
    EXPECT_EQ(next.id, row.id);
}

// One bad record among many: its connection says so and steps aside; no other notices.
TEST_F(VaultTest, T82_a_bad_record_hits_its_own_connection_only) {
    std::vector<Connection> rows;
    for (int i = 0; i < 20; ++i) {
        rows.push_back(connect("access", "refresh", "user-" + std::to_string(i)));
    }
    auto& harmed = store_.rows().connections.at(rows[7].id.value());
    harmed.sealed_refresh[40] ^= 1;
    harmed.sealed_access[40] ^= 1;
    clock_.pass(Seconds(2400));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        auto const claimed = claim(rows[i]);
        auto const access = vault_.open_access(row_of(rows[i].id));
        if (i != 7) {
            EXPECT_TRUE(claimed && *claimed) << i;
            EXPECT_TRUE(access) << i;
            continue;
        }
        ASSERT_FALSE(claimed);
        EXPECT_EQ(claimed.error().code(), ErrorCode::vault_error);
        EXPECT_EQ(access.error().code(), ErrorCode::vault_error);
        auto const row = row_of(rows[i].id);
        EXPECT_FALSE(row.intent) << "nothing was presented";
        EXPECT_FALSE(row.lease.until);
        EXPECT_EQ(row.state, ConnectionState::active);
        EXPECT_EQ(row.last_error, "vault_error");
        ASSERT_TRUE(row.next_attempt_at);
        EXPECT_GT(*row.next_attempt_at, clock_.now()) << "or each scan would meet it first";
    }
}

TEST_F(VaultTest, T71_a_row_that_was_repointed_gives_no_token_away) {
    auto const row = connect("access-1", "refresh-1");
    auto const other = connect("access-2", "refresh-2", "other");
    auto const whole = store_.rows().connections;
    using Harm = std::function<void(Connection&)>;
    std::vector<std::pair<std::string, Harm>> const harms{
        {"host", [](Connection& c) { c.workspace = "https://evil.example"; }},
        {"issuer", [](Connection& c) { c.issuer = Issuer("https://evil.example/oidc"); }},
        {"registration",
         [](Connection& c) { c.registration = RegistrationId("reg_" + std::string(32, 'b')); }},
        {"tenant", [](Connection& c) { c.tenant = "other"; }},
        {"generation", [](Connection& c) { c.generation += 1; }},
        {"the token endpoint's path",
         [](Connection& c) { c.token_endpoint = "https://ws.example/api/2.0/drop"; }},
        {"which workspace of the host", [](Connection& c) { c.workspace_id = "999"; }},
        {"whose it is to the app", [](Connection& c) { c.subject = "mallory"; }},
        {"whose it is to Databricks", [](Connection& c) { c.principal.sub = "mallory"; }},
        {"the name that is shown", [](Connection& c) { c.principal.user_name = "mallory"; }},
        {"somebody else's token",
         [&](Connection& c) { c.sealed_refresh = whole.at(other.id.value()).sealed_refresh; }},
        {"the access token as refresh token",
         [](Connection& c) { c.sealed_refresh = c.sealed_access; }},
    };
    for (auto const& [what, harm] : harms) {
        store_.rows().connections = whole;
        auto& changed = store_.rows().connections.at(row.id.value());
        harm(changed);
        auto const claimed = claim(changed);
        ASSERT_FALSE(claimed) << what;
        EXPECT_EQ(claimed.error().code(), ErrorCode::vault_error) << what;
    }
}

// Else one that is over would be served for years, and its refresh put off as long.
TEST_F(VaultTest, T71_an_access_token_opens_with_its_own_end_only) {
    auto row = connect("access-1", "refresh-1");
    ASSERT_TRUE(vault_.open_access(row));
    row.access_expires_at += Seconds(999999);
    EXPECT_FALSE(vault_.open_access(row));
    EXPECT_TRUE(vault_.open_refresh(row)) << "it outlives the access token, and can bring another";
}

class LoginsTest : public VaultWorld {
 protected:
    LoginRow login(std::string const& name) {
        LoginRow row;
        row.state_hash = sha256(name);
        row.registration = RegistrationId("reg_" + std::string(32, 'a'));
        row.workspace = "https://ws.example";
        row.issuer = Issuer("https://ws.example/oidc");
        row.created_at = clock_.now();
        row.expires_at = clock_.now() + Seconds(600);
        return row;
    }
    Result<void> begin(LoginRow const& row, std::string const& nonce = "nonce",
                       std::size_t logins_max = 2) {
        return run_task(vault_.begin_login(
            row, {Secret::copy_of("verifier-of-" + hex_encode(row.state_hash)), nonce},
            logins_max));
    }
};

TEST_F(LoginsTest, a_login_comes_back_once_with_its_secrets) {
    auto const row = login("state");
    ASSERT_TRUE(begin(row));
    auto const& kept = store_.rows().logins.at(row.state_hash);
    EXPECT_EQ(kept.sealed.find("verifier"), std::string::npos);
    auto const taken = run_task(vault_.take_login(row.state_hash));
    ASSERT_TRUE(taken && *taken);
    EXPECT_TRUE((*taken)->secrets.verifier.ct_equal("verifier-of-" + hex_encode(row.state_hash)));
    EXPECT_EQ((*taken)->secrets.nonce, "nonce");
    EXPECT_FALSE(run_task(vault_.take_login(row.state_hash)).value());
}

TEST_F(LoginsTest, a_login_without_nonce_comes_back_without_one) {
    auto const row = login("state");
    ASSERT_TRUE(begin(row, ""));
    EXPECT_EQ((*run_task(vault_.take_login(row.state_hash)))->secrets.nonce, "");
}

TEST_F(LoginsTest, logins_are_limited_and_expired_ones_make_room) {
    ASSERT_TRUE(begin(login("1")));
    ASSERT_TRUE(begin(login("2")));
    auto const refused = begin(login("3"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::too_many_logins);
    clock_.pass(Seconds(600));
    EXPECT_TRUE(begin(login("3")));
    EXPECT_EQ(store_.rows().logins.size(), 1U);
}

TEST_F(LoginsTest, T71_a_login_that_was_repointed_gives_no_verifier_away) {
    using Harm = std::function<void(LoginRow&)>;
    std::vector<Harm> const harms{
        [](LoginRow& row) { row.workspace = "https://evil.example"; },
        [](LoginRow& row) { row.issuer = Issuer("https://evil.example/oidc"); },
        [](LoginRow& row) { row.registration = RegistrationId("reg_" + std::string(32, 'b')); },
        [&](LoginRow& row) { row.sealed = store_.rows().logins.at(sha256("other")).sealed; },
    };
    ASSERT_TRUE(begin(login("other"), "nonce", 99));
    for (auto const& harm : harms) {
        auto const row = login("state");
        ASSERT_TRUE(begin(row, "nonce", 99));
        harm(store_.rows().logins.at(row.state_hash));
        auto const taken = run_task(vault_.take_login(row.state_hash));
        ASSERT_FALSE(taken);
        EXPECT_EQ(taken.error().code(), ErrorCode::vault_error);
    }
}

// What a thief of the disk holds: database, write-ahead log and whatever else SQLite leaves.
TEST(VaultOnDisk, T73_no_secret_lies_in_the_database_in_any_form) {
    TempFolder folder;
    SeededRandom random;
    ManualClock clock;
    std::vector<std::string> canaries;
    {
        auto store = open_sqlite_store(folder / "store.db").value();
        auto const keyring = open_keyring(*store, random);
        Envelope envelope(*keyring, random);
        InlineStoreRunner runner(*store);
        Vault vault(runner, envelope, clock, random);
        for (int i = 0; i < 25; ++i) {
            Connection row;
            row.registration = RegistrationId("reg");
            row.subject = std::to_string(i);
            canaries.push_back("dapi" + random.hex(16));
            canaries.push_back("doau" + random.hex(16));
            NewTokens fresh;
            fresh.tokens = tokens(canaries[canaries.size() - 2], canaries.back(), clock.now());
            ASSERT_TRUE(run_task(vault.connect(row, std::move(fresh), {})));
        }
        canaries.push_back("verifier" + random.hex(16));
        LoginRow login;
        login.state_hash = sha256("state");
        ASSERT_TRUE(
            run_task(vault.begin_login(login, {Secret::copy_of(canaries.back()), "nonce"}, 10)));
        canaries.push_back(std::string(32, 'r'));
    }
    std::string all;
    for (auto const& entry : std::filesystem::directory_iterator(folder.path())) {
        std::ifstream in(entry.path(), std::ios::binary);
        all.append(std::istreambuf_iterator<char>(in), {});
    }
    ASSERT_GT(all.size(), 50'000U);
    for (auto const& canary : canaries) {
        std::string utf16;
        for (char const c : canary) {
            utf16 += c;
            utf16 += '\0';
        }
        for (auto const& form :
             {canary, base64_encode(canary), base64_encode("x" + canary).substr(4),
              base64_encode("xy" + canary).substr(4), hex_encode(canary), utf16}) {
            auto const look = form.substr(0, form.size() - 4);
            EXPECT_EQ(all.find(look), std::string::npos) << form;
        }
    }
}

}  // namespace
}  // namespace brickgate::testing

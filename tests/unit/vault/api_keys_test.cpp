// SPDX-License-Identifier: Apache-2.0
#include "vault/api_keys.h"

#include <functional>

#include "unit/vault/vault_world.h"

namespace brickgate::testing {
namespace {

class ApiKeysTest : public VaultWorld {
 protected:
    ApiKeys::Created create(std::vector<std::string> rights = {"token:read"},
                            std::optional<Time> not_after = std::nullopt) {
        auto made = run_task(keys_.create("a name", std::move(rights), not_after));
        EXPECT_TRUE(made);
        return std::move(*made);
    }
    std::optional<Caller> verify(Secret const& key) {
        return key.expose([&](std::string_view text) { return keys_.verify(text); });
    }
    static std::string shown(Secret const& key) {
        return key.expose([](std::string_view text) { return std::string(text); });
    }

    ApiKeys keys_{vault_, *keyring_, clock_, random_};
};

TEST_F(ApiKeysTest, a_key_is_shown_once_and_kept_as_a_mac) {
    auto const made = create({"token:read", "connections", "token:read"});
    auto const key = shown(made.key);
    EXPECT_THAT(key, ::testing::MatchesRegex("bg_[0-9a-f]{16}_[A-Za-z0-9_-]{43}"));
    EXPECT_EQ(key.substr(3, 16), made.row.id);
    auto const& row = store_.rows().api_keys.at(made.row.id);
    EXPECT_EQ(row.mac.size(), 32U);
    EXPECT_EQ(row.rights, "connections,token:read");
    auto const caller = verify(made.key);
    ASSERT_TRUE(caller);
    EXPECT_EQ(caller->key_id, made.row.id);
    EXPECT_EQ(caller->tenant, "default");
    EXPECT_EQ(caller->name, "a name");
    EXPECT_TRUE(caller->may("token:read"));
    EXPECT_TRUE(caller->may("connections"));
    EXPECT_FALSE(caller->may("proxy"));
    EXPECT_FALSE(caller->may("admin"));
}

TEST_F(ApiKeysTest, an_admin_may_everything) {
    auto const caller = verify(create({"admin"}).key);
    EXPECT_TRUE(caller->may("token:read"));
    EXPECT_TRUE(caller->may("proxy"));
}

TEST_F(ApiKeysTest, no_other_text_is_a_key) {
    auto const key = shown(create().key);
    for (std::size_t at = 0; at < key.size(); ++at) {
        auto other = key;
        other[at] = other[at] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(keys_.verify(other)) << at;
    }
    for (auto const& other :
         {std::string(), key.substr(1), key + "A", key.substr(0, 19), " " + key}) {
        EXPECT_FALSE(keys_.verify(other)) << other;
    }
    EXPECT_TRUE(keys_.verify(key));
}

// An id that nobody has takes the way of one that somebody has: both end at the same comparison.
TEST_F(ApiKeysTest, an_unknown_id_is_refused_even_beside_a_mac_of_zeros) {
    auto const key = shown(create().key);
    auto unknown = key;
    unknown.replace(3, 16, "0000000000000000");
    EXPECT_FALSE(keys_.verify(unknown));
    store_.rows().api_keys.begin()->second.mac.clear();
    ASSERT_TRUE(run_task(keys_.load()));
    EXPECT_FALSE(keys_.verify(key)) << "a row without a MAC admits nobody";
}

TEST_F(ApiKeysTest, a_key_ends_at_its_moment) {
    auto const made = create({"token:read"}, clock_.now() + Seconds(60));
    clock_.pass(Seconds(60) - Milliseconds(1));
    EXPECT_TRUE(verify(made.key));
    clock_.pass(Milliseconds(1));
    EXPECT_FALSE(verify(made.key));
}

TEST_F(ApiKeysTest, a_revoked_key_is_refused_at_once_and_after_a_restart) {
    auto const made = create();
    auto const other = create();
    EXPECT_TRUE(run_task(keys_.revoke(made.row.id)).value());
    EXPECT_FALSE(run_task(keys_.revoke(made.row.id)).value());
    EXPECT_FALSE(run_task(keys_.revoke("0000000000000000")).value());
    EXPECT_FALSE(verify(made.key));
    ASSERT_TRUE(run_task(keys_.load()));
    EXPECT_FALSE(verify(made.key));
    EXPECT_TRUE(verify(other.key));
    EXPECT_EQ(keys_.list().size(), 2U) << "it is still listed";
}

TEST_F(ApiKeysTest, a_revocation_that_was_not_stored_is_an_error) {
    auto const made = create();
    store_.fail_commits(1);
    EXPECT_FALSE(run_task(keys_.revoke(made.row.id)));
    store_.fail_commits(1);
    EXPECT_FALSE(run_task(keys_.create("name", {"admin"}, std::nullopt)));
    EXPECT_EQ(keys_.list().size(), 1U) << "a key that is not stored is none";
}

// A thief who can write the table can neither make a key nor widen one.
TEST_F(ApiKeysTest, T73_a_row_that_was_changed_admits_nobody) {
    auto const made = create({"token:read"}, clock_.now() + Seconds(60));
    auto const whole = store_.rows().api_keys;
    using Harm = std::function<void(ApiKeyRow&)>;
    std::vector<std::pair<std::string, Harm>> const harms{
        {"rights", [](ApiKeyRow& row) { row.rights = "admin"; }},
        {"tenant", [](ApiKeyRow& row) { row.tenant = "other"; }},
        {"a longer life", [](ApiKeyRow& row) { *row.not_after += Seconds(1); }},
        {"no end", [](ApiKeyRow& row) { row.not_after.reset(); }},
        {"the mac", [](ApiKeyRow& row) { row.mac[0] ^= 1; }},
    };
    for (auto const& [what, harm] : harms) {
        store_.rows().api_keys = whole;
        harm(store_.rows().api_keys.at(made.row.id));
        ASSERT_TRUE(run_task(keys_.load()));
        EXPECT_FALSE(verify(made.key)) << what;
    }
    store_.rows().api_keys = whole;
    ASSERT_TRUE(run_task(keys_.load()));
    EXPECT_TRUE(verify(made.key));
    auto const elsewhere = open_keyring(*std::make_unique<MemoryStore>(), random_, 's');
    ApiKeys const other_root{vault_, *elsewhere, clock_, random_};
    EXPECT_FALSE(other_root.verify(shown(made.key)));
}

TEST_F(ApiKeysTest, T49_a_leak_is_noted_once_and_revokes_nothing) {
    auto const made = create();
    EXPECT_TRUE(run_task(keys_.mark_leaked(made.row.id)).value());
    clock_.pass(Seconds(5));
    EXPECT_FALSE(run_task(keys_.mark_leaked(made.row.id)).value());
    EXPECT_FALSE(run_task(keys_.mark_leaked("0000000000000000")).value());
    EXPECT_TRUE(verify(made.key));
    ASSERT_TRUE(run_task(keys_.load()));
    EXPECT_EQ(keys_.list().at(0).leaked_at, clock_.now() - Seconds(5));
}

TEST_F(ApiKeysTest, rights_are_those_that_exist) {
    for (auto const& rights : {std::vector<std::string>{}, {"root"}, {"token:read", "a,admin"}}) {
        auto const made = run_task(keys_.create("name", rights, std::nullopt));
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().code(), ErrorCode::invalid_request);
    }
}

TEST_F(ApiKeysTest, keys_are_listed_in_the_order_they_were_made) {
    auto const first = create();
    clock_.pass(Seconds(1));
    auto const second = create();
    auto const list = keys_.list();
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0].id, first.row.id);
    EXPECT_EQ(list[1].id, second.row.id);
}

}  // namespace
}  // namespace brickgate::testing

// SPDX-License-Identifier: Apache-2.0
#include "vault/capabilities.h"

#include <functional>
#include <limits>
#include <stdexcept>

#include "unit/vault/vault_world.h"
#include "vault/api_keys.h"

namespace brickgate::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CapabilitiesTest : public VaultWorld {
 protected:
    CapabilityWish wish() const {
        CapabilityWish out;
        out.connection = row_.id;
        return out;
    }
    Capabilities::Created create(CapabilityWish wanted) {
        auto made = run_task(capabilities_.create(std::move(wanted)));
        if (!made) {
            throw std::runtime_error(made.error().message());
        }
        return std::move(*made);
    }
    Capabilities::Created create() { return create(wish()); }
    static std::string shown(Secret const& secret) {
        return secret.expose([](std::string_view text) { return std::string(text); });
    }
    bool verifies(Capabilities::Created const& made) const {
        return capabilities_.verify(shown(made.capability)) != nullptr;
    }
    std::string refusal_of(CapabilityWish wanted) {
        auto const made = run_task(capabilities_.create(std::move(wanted)));
        return made ? "made" : std::string(made.error().name());
    }

    Connection row_ = connect("access", "refresh");
    Capabilities capabilities_{vault_, *keyring_, clock_, random_};
};

TEST_F(CapabilitiesTest, one_is_shown_once_and_kept_as_a_mac) {
    auto wanted = wish();
    wanted.name = "dbt\n";
    wanted.methods = {"POST", "GET", "POST"};
    wanted.paths = {"/sql/1.0/warehouses/1", "/api/2.0/sql/"};
    wanted.expires_in = Seconds(600);
    auto const made = create(wanted);
    auto const text = shown(made.capability);
    EXPECT_THAT(text, ::testing::MatchesRegex("bgc_[0-9a-f]{16}_[A-Za-z0-9_-]{43}"));
    EXPECT_TRUE(Capabilities::looks_like_one(text));
    EXPECT_FALSE(ApiKeys::looks_like_one(text));
    EXPECT_EQ(text.substr(4, 16), made.row.id);
    auto const& kept = store_.rows().capabilities.at(made.row.id);
    EXPECT_EQ(kept.mac.size(), 32U);
    EXPECT_EQ(kept.methods, "GET,POST");

    auto const found = capabilities_.verify(text);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->id, made.row.id);
    EXPECT_EQ(found->connection, row_.id);
    EXPECT_EQ(found->name, "dbt");
    EXPECT_THAT(found->methods, ElementsAre("GET", "POST"));
    EXPECT_THAT(found->paths, ElementsAre("/api/2.0/sql/", "/sql/1.0/warehouses/1"));
    EXPECT_EQ(found->not_after, clock_.now() + Seconds(600));
    EXPECT_TRUE(found->limited());
}

TEST_F(CapabilitiesTest, without_limits_it_is_for_anything_and_for_ever) {
    auto const found = capabilities_.verify(shown(create().capability));
    ASSERT_TRUE(found);
    EXPECT_THAT(found->methods, IsEmpty());
    EXPECT_THAT(found->paths, IsEmpty());
    EXPECT_FALSE(found->not_after);
    EXPECT_FALSE(found->limited());
}

TEST_F(CapabilitiesTest, T49_no_other_text_is_one) {
    auto const text = shown(create().capability);
    for (std::size_t at = 0; at < text.size(); ++at) {
        auto other = text;
        other[at] = other[at] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(capabilities_.verify(other)) << at;
    }
    for (auto const& other :
         {std::string(), text.substr(1), text + "A", text.substr(0, 20), " " + text}) {
        EXPECT_FALSE(capabilities_.verify(other)) << other;
    }
    EXPECT_TRUE(capabilities_.verify(text));
}

// An id that nobody has takes the way of one that somebody has: both end at the same comparison.
TEST_F(CapabilitiesTest, T49_an_unknown_id_is_refused_even_beside_a_mac_of_zeros) {
    auto const text = shown(create().capability);
    auto unknown = text;
    unknown.replace(4, 16, "0000000000000000");
    EXPECT_FALSE(capabilities_.verify(unknown));
    store_.rows().capabilities.begin()->second.mac.clear();
    ASSERT_TRUE(run_task(capabilities_.load()));
    EXPECT_FALSE(capabilities_.verify(text)) << "a row without a MAC admits nobody";
}

// A thief who can write the table can neither make one, nor widen one, nor point it elsewhere.
TEST_F(CapabilitiesTest, T49_T73_a_row_that_was_changed_admits_nobody) {
    auto wanted = wish();
    wanted.methods = {"GET"};
    wanted.paths = {"/api/2.0/sql"};
    wanted.expires_in = Seconds(60);
    auto const made = create(wanted);
    auto const other = connect("access 2", "refresh 2", "another");
    auto const whole = store_.rows().capabilities;
    using Harm = std::function<void(CapabilityRow&)>;
    std::vector<std::pair<std::string, Harm>> const harms{
        {"another connection", [&](CapabilityRow& row) { row.connection = other.id; }},
        {"any method", [](CapabilityRow& row) { row.methods.clear(); }},
        {"a method more", [](CapabilityRow& row) { row.methods = "DELETE,GET"; }},
        {"any path", [](CapabilityRow& row) { row.paths.clear(); }},
        {"a path more", [](CapabilityRow& row) { row.paths += "\n/api/2.1"; }},
        {"methods as paths",
         [](CapabilityRow& row) {
             row.methods.clear();
             row.paths = "GET/api/2.0/sql";
         }},
        {"a longer life", [](CapabilityRow& row) { *row.not_after += Seconds(1); }},
        {"no end", [](CapabilityRow& row) { row.not_after.reset(); }},
        {"the mac", [](CapabilityRow& row) { row.mac[0] ^= 1; }},
    };
    for (auto const& [what, harm] : harms) {
        store_.rows().capabilities = whole;
        harm(store_.rows().capabilities.at(made.row.id));
        ASSERT_TRUE(run_task(capabilities_.load()));
        EXPECT_FALSE(verifies(made)) << what;
    }
    store_.rows().capabilities = whole;
    ASSERT_TRUE(run_task(capabilities_.load()));
    EXPECT_TRUE(verifies(made));
    auto const elsewhere = open_keyring(*std::make_unique<MemoryStore>(), random_, 's');
    Capabilities const other_root{vault_, *elsewhere, clock_, random_};
    EXPECT_FALSE(other_root.verify(shown(made.capability)));
}

TEST_F(CapabilitiesTest, it_ends_at_its_moment) {
    auto wanted = wish();
    wanted.expires_in = Seconds(60);
    auto const made = create(wanted);
    clock_.pass(Seconds(60) - Milliseconds(1));
    EXPECT_TRUE(verifies(made));
    clock_.pass(Milliseconds(1));
    EXPECT_FALSE(verifies(made));
}

TEST_F(CapabilitiesTest, a_revoked_one_is_refused_at_once_and_after_a_restart) {
    auto const made = create();
    auto const other = create();
    EXPECT_TRUE(run_task(capabilities_.revoke(made.row.id)).value());
    EXPECT_FALSE(run_task(capabilities_.revoke(made.row.id)).value());
    EXPECT_FALSE(run_task(capabilities_.revoke("0000000000000000")).value());
    EXPECT_FALSE(verifies(made));
    ASSERT_TRUE(run_task(capabilities_.load()));
    EXPECT_FALSE(verifies(made));
    EXPECT_TRUE(verifies(other));
    auto const list = capabilities_.list();
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0].revoked_at.has_value() + list[1].revoked_at.has_value(), 1);
}

TEST_F(CapabilitiesTest, what_was_not_stored_did_not_happen) {
    auto const made = create();
    store_.fail_commits(1);
    EXPECT_FALSE(run_task(capabilities_.revoke(made.row.id)));
    EXPECT_TRUE(verifies(made));
    store_.fail_commits(1);
    EXPECT_EQ(refusal_of(wish()), "store_unavailable");
    store_.fail_commits(1);
    EXPECT_FALSE(run_task(capabilities_.mark_leaked(made.row.id)));
    EXPECT_EQ(capabilities_.list().size(), 1U);
    EXPECT_FALSE(capabilities_.list()[0].leaked_at);
}

TEST_F(CapabilitiesTest, it_ends_with_its_connection) {
    auto const made = create();
    auto const other_row = connect("access 2", "refresh 2", "another");
    auto wanted = wish();
    wanted.connection = other_row.id;
    auto const other = create(wanted);
    ASSERT_TRUE(run_task(vault_.disconnect(row_.id, {})).value());
    EXPECT_TRUE(store_.rows().capabilities.at(made.row.id).revoked_at) << "in one transaction";
    capabilities_.end(row_.id);
    EXPECT_FALSE(verifies(made));
    EXPECT_TRUE(verifies(other));
    ASSERT_TRUE(run_task(capabilities_.load()));
    EXPECT_FALSE(verifies(made)) << "after a restart";
    EXPECT_TRUE(verifies(other));
    EXPECT_EQ(refusal_of(wish()), "disconnected") << "none is made for what was ended";
}

TEST_F(CapabilitiesTest, it_needs_a_connection_that_exists) {
    CapabilityWish nobodys;
    nobodys.connection = ConnectionId("con_" + std::string(32, '0'));
    EXPECT_EQ(refusal_of(nobodys), "connection_unknown");
    EXPECT_THAT(store_.rows().capabilities, IsEmpty());
}

TEST_F(CapabilitiesTest, methods_and_paths_are_checked_when_it_is_made) {
    struct Row {
        std::vector<std::string> methods, paths;
        bool good;
    };
    std::string const longest = "/" + std::string(255, 'a');
    for (auto const& row : std::vector<Row>{
             {{"GET", "PROPFIND", "M-SEARCH"}, {}, true},
             {{"get"}, {}, false},
             {{"Get"}, {}, false},
             {{""}, {}, false},
             {{"GE T"}, {}, false},
             {{"GET,POST"}, {}, false},
             {{"GET\n"}, {}, false},
             {{std::string(33, 'A')}, {}, false},
             {std::vector<std::string>(17, "GET"), {}, false},
             {{}, {"/", "/api/2.0/sql/", "/api/2.0/fs/files/Volumes/caf%C3%A9", longest}, true},
             {{}, {longest + "a"}, false},
             {{}, {""}, false},
             {{}, {"api/2.0"}, false},
             {{}, {"https://h/api"}, false},
             {{}, {"/api/../oidc"}, false},
             {{}, {"/api/./x"}, false},
             {{}, {"/api/%2e%2e/x"}, false},
             {{}, {"/api/%252e%252e/x"}, false},
             {{}, {"/api//x"}, false},
             {{}, {"/api/%2fx"}, false},
             {{}, {"/api/%zz"}, false},
             {{}, {"/api?x=1"}, false},
             {{}, {"/api#x"}, false},
             {{}, {"/api\\x"}, false},
             {{}, {"/api x"}, false},
             {{}, {"/api\nx"}, false},
             {{}, {"/caf\xC3\xA9"}, false},
             {{}, std::vector<std::string>(32, "/api"), true},
             {{}, std::vector<std::string>(33, "/api"), false},
         }) {
        auto wanted = wish();
        wanted.methods = row.methods;
        wanted.paths = row.paths;
        EXPECT_EQ(refusal_of(wanted), row.good ? "made" : "invalid_request")
            << ::testing::PrintToString(row.methods) << ::testing::PrintToString(row.paths);
    }
}

TEST_F(CapabilitiesTest, a_life_is_a_second_to_ten_years) {
    for (auto const& [seconds, good] : std::vector<std::pair<std::int64_t, bool>>{
             {1, true},
             {0, false},
             {-1, false},
             {315'360'000, true},
             {315'360'001, false},
             {std::numeric_limits<std::int64_t>::max(), false},
             {std::numeric_limits<std::int64_t>::min(), false}}) {
        auto wanted = wish();
        wanted.expires_in = Seconds(seconds);
        EXPECT_EQ(refusal_of(wanted), good ? "made" : "invalid_request") << seconds;
    }
}

TEST_F(CapabilitiesTest, T49_a_leak_is_noted_once_and_revokes_nothing) {
    auto const made = create();
    clock_.pass(Seconds(5));
    EXPECT_TRUE(run_task(capabilities_.mark_leaked(made.row.id)).value());
    clock_.pass(Seconds(5));
    EXPECT_FALSE(run_task(capabilities_.mark_leaked(made.row.id)).value());
    EXPECT_FALSE(run_task(capabilities_.mark_leaked("0000000000000000")).value());
    EXPECT_TRUE(verifies(made));
    ASSERT_TRUE(run_task(capabilities_.load()));
    EXPECT_EQ(capabilities_.list().at(0).leaked_at, clock_.now() - Seconds(5));
}

TEST_F(CapabilitiesTest, they_are_listed_in_the_order_they_were_made_and_by_connection) {
    auto const other = connect("access 2", "refresh 2", "another");
    auto const first = create();
    clock_.pass(Seconds(1));
    auto wanted = wish();
    wanted.connection = other.id;
    auto const second = create(wanted);
    auto const all = capabilities_.list();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].id, first.row.id);
    EXPECT_EQ(all[1].id, second.row.id);
    auto const some = capabilities_.list(other.id);
    ASSERT_EQ(some.size(), 1U);
    EXPECT_EQ(some[0].id, second.row.id);
    EXPECT_THAT(capabilities_.list(ConnectionId("con_x")), IsEmpty());
}

TEST_F(CapabilitiesTest, they_are_listed_in_pages_and_none_is_lost_between_two) {
    std::vector<std::string> made;
    for (int i = 0; i < 7; ++i) {
        clock_.pass(Seconds(i % 2));  // some are made in the same moment
        made.push_back(create().row.id);
    }
    std::vector<std::string> seen;
    std::string after;
    for (auto page = capabilities_.list({}, after, 3); !page.empty();
         page = capabilities_.list({}, after, 3)) {
        EXPECT_LE(page.size(), 3U);
        for (auto const& row : page) {
            seen.push_back(row.id);
        }
        after = page.back().cursor();
    }
    EXPECT_THAT(seen, ::testing::UnorderedElementsAreArray(made));
}

// Memory holds each of them: who may make some may not fill it.
TEST_F(CapabilitiesTest, a_connection_is_lent_a_thousand_times_at_once) {
    auto const first = create();
    auto brief = wish();
    brief.expires_in = Seconds(60);
    create(brief);
    for (std::size_t i = 2; i < Capabilities::living_max; ++i) {
        create();
    }
    EXPECT_EQ(refusal_of(wish()), "invalid_request");
    clock_.pass(Seconds(60));
    EXPECT_EQ(refusal_of(wish()), "made") << "one has ended by itself";
    EXPECT_EQ(refusal_of(wish()), "invalid_request");
    ASSERT_TRUE(run_task(capabilities_.revoke(first.row.id)).value());
    EXPECT_EQ(refusal_of(wish()), "made");
}

// Programs make one for each job: those that ended are forgotten after a while.
TEST_F(CapabilitiesTest, what_ended_long_ago_is_forgotten) {
    auto wanted = wish();
    wanted.expires_in = Seconds(60);
    auto const short_lived = create(wanted);
    auto const revoked = create();
    ASSERT_TRUE(run_task(capabilities_.revoke(revoked.row.id)).value());
    auto const lasting = create();
    clock_.pass(Capabilities::ended_kept);
    auto const near = create();
    EXPECT_EQ(capabilities_.list().size(), 4U);
    clock_.pass(std::chrono::hours(2));
    auto const last = create();
    EXPECT_EQ(capabilities_.list().size(), 3U);
    EXPECT_EQ(store_.rows().capabilities.size(), 3U);
    EXPECT_TRUE(verifies(lasting));
    EXPECT_TRUE(verifies(near));
    EXPECT_TRUE(verifies(last));
}

}  // namespace
}  // namespace brickgate::testing

// SPDX-License-Identifier: Apache-2.0
#pragma once
// What every Store must do for a rotation of keys: find and count records by the key that they
// name, and put another record in their place. Included by store_conformance.h.

namespace brickgate::testing {

inline std::string record_under(std::uint32_t key_id, std::string const& text) {
    std::string out("\x01\x01\0\0", 4);
    out += static_cast<char>(key_id >> 8 & 0xFF);
    out += static_cast<char>(key_id & 0xFF);
    out += text;
    out.resize(110, '\0');
    return out;
}

template <class Backend>
class StoreKeys : public StoreConformance<Backend> {
 protected:
    static constexpr std::uint32_t former = 0x0102;
    static constexpr std::uint32_t fresh = 0x0103;

    Connection keep(std::string const& name, std::uint32_t access, std::uint32_t refresh,
                    std::optional<std::uint32_t> aside = {}) {
        Connection row = sample(name);
        row.sealed_access = record_under(access, "access" + name);
        row.sealed_refresh = record_under(refresh, "refresh" + name);
        row.sealed_alt_refresh = aside ? record_under(*aside, "aside" + name) : "";
        return this->insert(row);
    }
    SealedCounts count(std::uint32_t key) {
        SealedCounts counts;
        EXPECT_TRUE(this->run_void([&](StoreTransaction& rows) -> Result<void> {
            counts = rows.count_sealed_under(key).value();
            return {};
        }));
        return counts;
    }
    std::vector<std::string> found(std::uint32_t key, ConnectionId const& after = {},
                                   std::size_t limit = 100) {
        std::vector<std::string> names;
        EXPECT_TRUE(this->run_void([&](StoreTransaction& rows) -> Result<void> {
            auto const there = rows.connections_sealed_under(key, after, limit).value();
            for (auto const& row : there) {
                names.push_back(row.subject);
            }
            return {};
        }));
        return names;
    }
};
TYPED_TEST_SUITE_P(StoreKeys);

TYPED_TEST_P(StoreKeys, records_are_counted_by_the_key_that_they_name) {
    auto const former = TestFixture::former;
    auto const fresh = TestFixture::fresh;
    this->keep("1", former, former);
    this->keep("2", fresh, former, former);
    this->keep("3", fresh, fresh);
    LoginRow login;
    login.state_hash = std::string(32, 's');
    login.sealed = record_under(former, "verifier");
    ASSERT_TRUE(this->run_void([&](StoreTransaction& rows) { return rows.insert_login(login); }));
    auto const counts = this->count(former);
    EXPECT_EQ(counts.access_tokens, 1U);
    EXPECT_EQ(counts.refresh_tokens, 2U);
    EXPECT_EQ(counts.alternatives, 1U);
    EXPECT_EQ(counts.logins, 1U);
    EXPECT_EQ(counts.all(), 5U);
    EXPECT_EQ(this->count(fresh).all(), 3U);
    EXPECT_EQ(this->count(0x0201).all(), 0U);
}

TYPED_TEST_P(StoreKeys, rows_under_a_key_are_found_page_by_page) {
    auto const former = TestFixture::former;
    auto const fresh = TestFixture::fresh;
    this->keep("1", former, fresh);
    this->keep("2", fresh, fresh);
    this->keep("3", fresh, former);
    this->keep("4", fresh, fresh, former);
    this->keep("5", fresh, fresh);
    using Names = std::vector<std::string>;
    EXPECT_EQ(this->found(former), (Names{"user-1", "user-3", "user-4"}));
    EXPECT_EQ(this->found(former, {}, 2), (Names{"user-1", "user-3"}));
    EXPECT_EQ(this->found(former, sample("3").id), (Names{"user-4"}));
}

TYPED_TEST_P(StoreKeys, T76_a_record_that_changed_meanwhile_is_not_replaced) {
    auto const row = this->keep("1", TestFixture::former, TestFixture::former);
    Connection anew = row;
    anew.sealed_access = record_under(TestFixture::fresh, "access");
    anew.sealed_refresh = record_under(TestFixture::fresh, "refresh");
    auto const replace = [&](Connection const& was) {
        bool done = false;
        EXPECT_TRUE(this->run_void([&](StoreTransaction& rows) -> Result<void> {
            done = rows.reseal_connection(was, anew).value();
            return {};
        }));
        return done;
    };
    for (auto const part : {&Connection::sealed_access, &Connection::sealed_refresh,
                            &Connection::sealed_alt_refresh}) {
        Connection other = row;
        other.*part = record_under(TestFixture::former, "another");
        EXPECT_FALSE(replace(other)) << "a refresh was faster";
    }
    EXPECT_EQ(this->find(row)->sealed_access, row.sealed_access);
    EXPECT_TRUE(replace(row));
    EXPECT_FALSE(replace(row));
    auto const now_there = this->find(row);
    EXPECT_EQ(now_there->sealed_access, anew.sealed_access);
    EXPECT_EQ(now_there->sealed_refresh, anew.sealed_refresh);
    EXPECT_EQ(now_there->generation, row.generation);
    EXPECT_EQ(now_there->updated_at, row.updated_at) << "nothing happened to the grant";
}

TYPED_TEST_P(StoreKeys, a_login_under_a_key_is_found_and_replaced) {
    LoginRow login;
    login.state_hash = std::string(32, 's');
    login.workspace = "https://ws.example";
    login.sealed = record_under(TestFixture::former, "verifier");
    auto const anew = record_under(TestFixture::fresh, "verifier");
    ASSERT_TRUE(this->run_void([&](StoreTransaction& rows) -> Result<void> {
        EXPECT_TRUE(rows.insert_login(login));
        auto const there = rows.logins_sealed_under(TestFixture::former, 10).value();
        EXPECT_EQ(there.size(), 1U);
        EXPECT_EQ(there.at(0).workspace, login.workspace);
        auto other = login;
        other.sealed = "another";
        EXPECT_FALSE(rows.reseal_login(other, anew).value());
        EXPECT_TRUE(rows.reseal_login(login, anew).value());
        EXPECT_TRUE(rows.logins_sealed_under(TestFixture::former, 10).value().empty());
        EXPECT_EQ(rows.take_login(login.state_hash).value()->sealed, anew);
        return {};
    }));
}

TYPED_TEST_P(StoreKeys, T74_what_could_go_on_is_held_back_and_let_go_one_by_one) {
    std::vector<std::pair<ConnectionState, ConnectionState>> const becomes{
        {ConnectionState::active, ConnectionState::quarantined},
        {ConnectionState::uncertain, ConnectionState::quarantined},
        {ConnectionState::host_blocked, ConnectionState::quarantined},
        {ConnectionState::reauth_required, ConnectionState::reauth_required},
        {ConnectionState::disconnected, ConnectionState::disconnected}};
    for (std::size_t i = 0; i < becomes.size(); ++i) {
        Connection row = sample(std::to_string(i));
        row.state = becomes[i].first;
        row.next_attempt_at = now + Seconds(600);
        this->insert(row);
    }
    ASSERT_TRUE(this->run_void([&](StoreTransaction& rows) -> Result<void> {
        EXPECT_EQ(rows.quarantine_all(now).value(), 3U);
        return {};
    }));
    for (std::size_t i = 0; i < becomes.size(); ++i) {
        auto const row = this->find(sample(std::to_string(i)));
        EXPECT_EQ(row->state, becomes[i].second) << i;
        EXPECT_EQ(row->reason == ReauthReason::restored,
                  becomes[i].second == ConnectionState::quarantined);
    }
    ASSERT_TRUE(this->run_void([&](StoreTransaction& rows) -> Result<void> {
        EXPECT_TRUE(rows.end_quarantine(sample("0").id, now).value());
        EXPECT_FALSE(rows.end_quarantine(sample("0").id, now).value());
        EXPECT_FALSE(rows.end_quarantine(sample("4").id, now).value()) << "what was ended stays so";
        EXPECT_FALSE(rows.end_quarantine(sample("9").id, now).value());
        return {};
    }));
    auto const released = this->find(sample("0"));
    EXPECT_EQ(released->state, ConnectionState::active);
    EXPECT_EQ(released->reason, ReauthReason::restored) << "until a refresh has proved it";
    EXPECT_FALSE(released->next_attempt_at);
}

REGISTER_TYPED_TEST_SUITE_P(StoreKeys, records_are_counted_by_the_key_that_they_name,
                            rows_under_a_key_are_found_page_by_page,
                            T76_a_record_that_changed_meanwhile_is_not_replaced,
                            a_login_under_a_key_is_found_and_replaced,
                            T74_what_could_go_on_is_held_back_and_let_go_one_by_one);

}  // namespace brickgate::testing

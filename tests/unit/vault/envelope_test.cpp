// SPDX-License-Identifier: Apache-2.0
#include "vault/envelope.h"

#include <gtest/gtest.h>

#include <functional>

#include "support/seeded_random.h"
#include "vault/memory_store.h"

namespace brickgate::testing {
namespace {

class EnvelopeTest : public ::testing::Test {
 protected:
    EnvelopeTest() {
        std::vector<Secret> roots;
        roots.push_back(Secret::copy_of(std::string(32, 'r')));
        keyring_ = std::move(
            Keyring::open(std::move(roots), store_, false, Time(Seconds(1)), random_).value());
    }
    Connection row(std::uint64_t number) {
        Connection out;
        out.id = ConnectionId("con_" + random_.hex(16));
        out.tenant = "default";
        out.registration = RegistrationId("reg_" + std::string(32, 'a'));
        out.issuer = Issuer("https://ws.example/oidc");
        out.workspace = "https://ws.example";
        out.generation = 1 + number % 5;
        return out;
    }
    std::string seal(RowIdentity const& identity) {
        return envelope().seal("token", SealedKind::access_token, token_, identity).value();
    }
    bool opens(std::string_view record, RowIdentity const& identity) {
        return envelope().open(SealedKind::access_token, record, identity).has_value();
    }
    Envelope& envelope() {
        if (!envelope_) {
            envelope_.emplace(*keyring_, random_);
        }
        return *envelope_;
    }

    MemoryStore store_;
    SeededRandom random_;
    std::unique_ptr<Keyring> keyring_;
    std::optional<Envelope> envelope_;
    Secret token_ = Secret::copy_of("the token");
};

// 1,000 places differ by as little as their column or their generation; each record opens in its
// own place and in none of the others.
TEST_F(EnvelopeTest, T71_a_record_opens_in_its_own_place_only) {
    std::vector<AssociatedData> places;
    std::vector<std::string> records;
    auto const key = keyring_->active("token");
    for (std::uint64_t i = 0; places.size() < 1000; ++i) {
        auto const connection = row(i);
        for (auto const* column : {"cur_access", "cur_refresh", "alt_refresh"}) {
            for (std::uint64_t generation : {1U, 2U, 256U}) {
                places.push_back(associated_data(identity_of(connection, column, generation)));
                records.push_back(seal(identity_of(connection, column, generation)));
            }
        }
    }
    std::size_t opened_at_home = 0;
    std::size_t opened_elsewhere = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
        for (std::size_t j = 0; j < places.size(); ++j) {
            bool const opened =
                open_record(SealedKind::access_token, records[i], key->key, places[j]).has_value();
            (i == j ? opened_at_home : opened_elsewhere) += opened ? 1 : 0;
        }
    }
    EXPECT_EQ(opened_at_home, records.size());
    EXPECT_EQ(opened_elsewhere, 0U);
}

TEST_F(EnvelopeTest, T71_each_field_of_the_place_counts_alone) {
    auto const home = identity_of(row(0), "cur_refresh", 7);
    auto const record = seal(home);
    ASSERT_TRUE(opens(record, home));
    using Change = std::function<void(RowIdentity&)>;
    std::vector<std::pair<std::string, Change>> const changes{
        {"table", [](RowIdentity& i) { i.table = "login"; }},
        {"column", [](RowIdentity& i) { i.column = "cur_access"; }},
        {"tenant", [](RowIdentity& i) { i.tenant = "other"; }},
        {"row", [](RowIdentity& i) { i.row.back() = i.row.back() == '0' ? '1' : '0'; }},
        {"registration", [](RowIdentity& i) { i.registration = "reg_" + std::string(32, 'b'); }},
        {"issuer", [](RowIdentity& i) { i.issuer = "https://evil.example/oidc"; }},
        {"api_host", [](RowIdentity& i) { i.api_host = "https://evil.example"; }},
        {"generation", [](RowIdentity& i) { i.generation += 1; }},
        {"a fact", [](RowIdentity& i) { i.facts.at(0) = "https://ws.example/drop"; }},
        {"no facts", [](RowIdentity& i) { i.facts.clear(); }},
        {"a border",
         [](RowIdentity& i) {
             i.api_host = i.issuer.back() + i.api_host;
             i.issuer.pop_back();
         }},
    };
    for (auto const& [what, change] : changes) {
        auto elsewhere = home;
        change(elsewhere);
        EXPECT_FALSE(opens(record, elsewhere)) << what;
    }
}

TEST_F(EnvelopeTest, T78_an_unknown_key_sounds_like_any_other_bad_record) {
    auto const home = identity_of(row(0), "cur_refresh", 7);
    auto const record = seal(home);
    auto const verdict = bad_record();
    for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
        auto harmed = record;
        harmed[bit / 8] = static_cast<char>(harmed[bit / 8] ^ (1 << bit % 8));
        auto const opened = envelope().open(SealedKind::access_token, harmed, home);
        ASSERT_FALSE(opened) << bit;
        EXPECT_EQ(opened.error().code(), verdict.error().code()) << bit;
        EXPECT_EQ(opened.error().message(), verdict.error().message()) << bit;
    }
    EXPECT_FALSE(opens("", home));
}

TEST_F(EnvelopeTest, a_purpose_has_a_key_of_its_own) {
    auto const home = identity_of(row(0), "cur_access", 1);
    auto const token = seal(home);
    auto const login = envelope().seal("login", SealedKind::access_token, token_, home).value();
    EXPECT_NE(key_id_of_record(token), key_id_of_record(login));
    EXPECT_TRUE(opens(login, home)) << "the record names its key";
    auto const nothing = envelope().seal("backup", SealedKind::access_token, token_, home);
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().code(), ErrorCode::vault_unknown_key);
}

TEST_F(EnvelopeTest, a_fingerprint_is_keyed_and_stable) {
    auto const print = envelope().fingerprint("token");
    EXPECT_EQ(print.size(), 32U);
    EXPECT_EQ(print, envelope().fingerprint("token"));
    EXPECT_NE(print, envelope().fingerprint("token2"));
    MemoryStore elsewhere;
    std::vector<Secret> roots;
    roots.push_back(Secret::copy_of(std::string(32, 's')));
    auto const other = Keyring::open(std::move(roots), elsewhere, false, Time(), random_);
    EXPECT_NE(print, Envelope(**other, random_).fingerprint("token"));
}

}  // namespace
}  // namespace brickgate::testing

// SPDX-License-Identifier: Apache-2.0
#include "vault/record.h"

#include <sodium.h>

#include <cstdlib>
#include <set>
#include <vector>

#include "support/seeded_random.h"
#include "unit/vault/vectors.h"
#include "vault/envelope.h"

namespace brickgate::testing {
namespace {

std::string plain_of(Secret const& secret) {
    return secret.expose([](std::string_view text) { return std::string(text); });
}

RowIdentity identity_from(json::object const& row) {
    return {text_at(row, "table"),
            text_at(row, "column"),
            text_at(row, "tenant"),
            text_at(row, "row"),
            text_at(row, "registration"),
            text_at(row, "issuer"),
            text_at(row, "api_host"),
            static_cast<std::uint64_t>(integer_at(row, "generation").value())};
}

TEST(PublishedVectors, xchacha20_poly1305_is_the_drafts) {
    auto const all = read_vectors("published_crypto.json");
    auto const& vector = *object_at(all.as_object(), "xchacha20_poly1305");
    auto const plain = bytes_at(vector, "plain");
    auto const aad = bytes_at(vector, "aad");
    std::string sealed(plain.size() + 16, '\0');
    crypto_aead_xchacha20poly1305_ietf_encrypt(reinterpret_cast<unsigned char*>(sealed.data()),
                                               nullptr, raw(plain), plain.size(), raw(aad),
                                               aad.size(), nullptr, raw(bytes_at(vector, "nonce")),
                                               raw(bytes_at(vector, "key")));
    EXPECT_EQ(hex_encode(sealed), text_at(vector, "sealed"));
}

TEST(PublishedVectors, blake2b_is_the_rfcs) {
    auto const all = read_vectors("published_crypto.json");
    for (auto const& entry : *array_at(all.as_object(), "blake2b")) {
        auto const& vector = entry.as_object();
        auto const key = bytes_at(vector, "key");
        auto const in = bytes_at(vector, "in");
        std::string out(64, '\0');
        crypto_generichash(reinterpret_cast<unsigned char*>(out.data()), out.size(), raw(in),
                           in.size(), key.empty() ? nullptr : raw(key), key.size());
        EXPECT_EQ(hex_encode(out), text_at(vector, "out"));
    }
}

// The same file is read by tests/node/vault_vectors.test.mjs, which shares no code with us.
TEST(RecordVectors, seal_and_open_as_the_fixed_records_say) {
    auto const all = read_vectors("vault_records.json");
    auto const& records = *array_at(all.as_object(), "records");
    ASSERT_EQ(records.size(), 24U);
    for (auto const& entry : records) {
        auto const& vector = entry.as_object();
        SCOPED_TRACE(text_at(vector, "name"));
        auto const key = bytes_at(vector, "key");
        auto const kind = static_cast<SealedKind>(integer_at(vector, "kind").value());
        auto const place = associated_data(identity_from(*object_at(vector, "identity")));
        auto const plain = bytes_at(vector, "plain");
        auto const record = bytes_at(vector, "record");
        auto const key_id = static_cast<std::uint32_t>(integer_at(vector, "key_id").value());
        EXPECT_EQ(hex_encode(seal_record(kind, Secret::copy_of(plain), key_id, raw(key),
                                         bytes_at(vector, "nonce"), place)),
                  hex_encode(record));
        EXPECT_EQ(key_id_of_record(record), key_id);
        auto const opened = open_record(kind, record, raw(key), place);
        ASSERT_TRUE(opened);
        EXPECT_EQ(plain_of(*opened), plain);
    }
}

// Wrote the file once: BRICKGATE_WRITE_VECTORS=path test_vault
// --gtest_filter=RecordVectors.DISABLED_* --gtest_also_run_disabled_tests
TEST(RecordVectors, DISABLED_write) {
    char const* const path = std::getenv("BRICKGATE_WRITE_VECTORS");
    if (!path) {
        GTEST_SKIP() << "is run by hand";
    }
    SeededRandom random(20'261'124);
    static constexpr std::array<std::size_t, 12> sizes{0,  1,  58,  59,  60,   64,
                                                       65, 86, 123, 400, 1024, 3000};
    json::array records;
    for (std::size_t i = 0; i < 24; ++i) {
        bool const login = i % 6 == 5;
        auto const kind = login ? SealedKind::pkce_verifier : static_cast<SealedKind>(1 + i % 2);
        RowIdentity const identity{
            login ? "login" : "connection",
            login        ? "secrets"
            : i % 6 == 4 ? "alt_refresh"
            : i % 2 == 0 ? "cur_access"
                         : "cur_refresh",
            i % 8 == 7 ? "ten_" + random.hex(16) : "default",
            (login ? "log_" : "con_") + random.hex(16),
            i % 8 == 3 ? "a name of the operator's" : "reg_" + random.hex(16),
            i % 8 == 1 ? "" : "https://dbc-" + random.hex(4) + ".cloud.databricks.com/oidc",
            "https://dbc-" + random.hex(4) + ".cloud.databricks.com",
            i == 0   ? 0
            : i == 1 ? (1ULL << 53) - 1
                     : random.below(1000)};
        auto const key = random.bytes(32);
        auto const nonce = random.bytes(record_nonce_bytes);
        auto const plain = random.bytes(sizes[i % sizes.size()]);
        auto const key_id = static_cast<std::uint32_t>(i == 2 ? 0xFFFFFFFFU : random.below(1000));
        auto const record = seal_record(kind, Secret::copy_of(plain), key_id, raw(key), nonce,
                                        associated_data(identity));
        records.push_back(
            json::object{{"name", "record " + std::to_string(i + 1)},
                         {"key", hex_encode(key)},
                         {"key_id", key_id},
                         {"kind", static_cast<int>(kind)},
                         {"nonce", hex_encode(nonce)},
                         {"identity", json::object{{"table", identity.table},
                                                   {"column", identity.column},
                                                   {"tenant", identity.tenant},
                                                   {"row", identity.row},
                                                   {"registration", identity.registration},
                                                   {"issuer", identity.issuer},
                                                   {"api_host", identity.api_host},
                                                   {"generation", identity.generation}}},
                         {"plain", hex_encode(plain)},
                         {"record", hex_encode(record)}});
    }
    std::ofstream out(path);
    out << "{\"comment\": \"Record format version 1: what each identity and key seals to.\",\n"
           "\"records\": [\n";
    for (std::size_t i = 0; i < records.size(); ++i) {
        out << json::serialize(records[i]) << (i + 1 < records.size() ? ",\n" : "\n");
    }
    out << "]}\n";
}

class Records : public ::testing::Test {
 protected:
    std::string seal(std::string const& plain, SealedKind kind = SealedKind::access_token) {
        return seal_record(kind, Secret::copy_of(plain), 1, raw(key_),
                           random_.bytes(record_nonce_bytes), place_);
    }
    Result<Secret> open(std::string const& record, SealedKind kind = SealedKind::access_token) {
        return open_record(kind, record, raw(key_), place_);
    }

    SeededRandom random_;
    std::string key_ = random_.bytes(32);
    AssociatedData place_ = AssociatedData("brickgate/v1").field("here");
};

TEST_F(Records, a_record_hides_the_exact_length) {
    std::set<std::size_t> sizes;
    for (std::size_t size = 0; size <= 59; ++size) {
        sizes.insert(seal(std::string(size, 'x')).size());
    }
    EXPECT_EQ(sizes, std::set<std::size_t>{record_overhead + 64});
    EXPECT_EQ(seal(std::string(60, 'x')).size(), record_overhead + 128);
}

TEST_F(Records, each_seal_has_a_nonce_of_its_own) {
    EXPECT_NE(seal("token"), seal("token"));
}

TEST_F(Records, T78_every_single_bit_flip_has_the_one_verdict) {
    auto const record = seal("a token");
    auto const verdict = bad_record();
    for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
        auto harmed = record;
        harmed[bit / 8] = static_cast<char>(harmed[bit / 8] ^ (1 << bit % 8));
        auto const opened = open(harmed);
        ASSERT_FALSE(opened) << bit;
        EXPECT_EQ(opened.error().code(), ErrorCode::vault_error);
        EXPECT_EQ(opened.error().message(), verdict.error().message());
        EXPECT_EQ(opened.error().detail(), "");
    }
}

TEST_F(Records, T78_no_other_version_algorithm_or_length_is_tried) {
    auto const record = seal("a token");
    ASSERT_TRUE(open(record));
    for (std::size_t at : {0U, 1U}) {
        for (int value = 0; value < 256; ++value) {
            auto other = record;
            other[at] = static_cast<char>(value);
            EXPECT_EQ(open(other).has_value(), value == 1) << at << " " << value;
        }
    }
    for (std::size_t size = 0; size < record.size(); ++size) {
        EXPECT_FALSE(open(record.substr(0, size))) << size;
    }
    EXPECT_FALSE(open(record + '\0'));
}

TEST_F(Records, a_record_of_one_kind_is_none_of_another) {
    EXPECT_FALSE(open(seal("a token", SealedKind::refresh_token)));
}

TEST_F(Records, padding_that_is_not_zero_is_refused_after_authentication) {
    std::string plain(64, '\0');
    plain[0] = 1;
    plain[4] = 3;
    std::string const header("\x01\x01\0\0\0\x01", 6);
    auto const forge = [&] {  // by somebody who has the key, or by a bug of ours
        auto const nonce = random_.bytes(24);
        std::string sealed(plain.size() + 16, '\0');
        auto const aad = place_.bytes(header);
        crypto_aead_xchacha20poly1305_ietf_encrypt(reinterpret_cast<unsigned char*>(sealed.data()),
                                                   nullptr, raw(plain), plain.size(), raw(aad),
                                                   aad.size(), nullptr, raw(nonce), raw(key_));
        return header + nonce + sealed;
    };
    EXPECT_TRUE(open(forge()));
    plain[63] = 1;
    EXPECT_FALSE(open(forge()));
    plain[63] = 0;
    plain[1] = 1;  // a length far beyond the record
    EXPECT_FALSE(open(forge()));
}

TEST(AssociatedData, no_two_lists_of_fields_read_alike) {
    auto const bytes = [](AssociatedData const& data) { return data.bytes("head"); };
    std::string const long_one(0xFFFE, 'x');
    std::string const longer(0xFFFF, 'x');
    std::vector<std::string> const all{
        bytes(AssociatedData("m")),
        bytes(AssociatedData("m").field("")),
        bytes(AssociatedData("m").absent()),
        bytes(AssociatedData("m").field("ab").field("c")),
        bytes(AssociatedData("m").field("a").field("bc")),
        bytes(AssociatedData("m").field("abc")),
        bytes(AssociatedData("m").number(1)),
        bytes(AssociatedData("m").field(long_one)),
        bytes(AssociatedData("m").field(longer)),
        bytes(AssociatedData("m").field(longer).field("")),
    };
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
    EXPECT_EQ(AssociatedData("magic").field("ab").absent().bytes("head"),
              std::string("magichead\0\x02"
                          "ab\xFF\xFF",
                          15));
}

TEST(KeyedHash, parts_do_not_run_together) {
    std::string const key(32, 'k');
    EXPECT_NE(keyed_hash(raw(key), {"ab", "c"}, 32), keyed_hash(raw(key), {"a", "bc"}, 32));
    EXPECT_NE(keyed_hash(raw(key), {"abc"}, 32),
              keyed_hash(raw(std::string(32, 'l')), {"abc"}, 32));
    EXPECT_EQ(keyed_hash(raw(key), {"abc"}, 16).size(), 16U);
}

}  // namespace
}  // namespace brickgate::testing

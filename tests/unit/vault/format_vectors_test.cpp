// SPDX-License-Identifier: Apache-2.0
// tests/vectors/vault_formats.json was written by the second reader in JavaScript: what it wrote,
// we open, and we write the same bytes.
#include "support/data_file.h"
#include "support/seeded_random.h"
#include "support/temp_folder.h"
#include "vault/envelope.h"
#include "vault/keyring.h"
#include "vault/memory_store.h"
#include "vault/spool_format.h"

namespace brickgate::testing {
namespace {

std::string plain_of(Secret const& secret) {
    return secret.expose([](std::string_view text) { return std::string(text); });
}
unsigned char const* raw(std::string const& text) {
    return reinterpret_cast<unsigned char const*>(text.data());
}
std::string bytes_at(json::object const& object, std::string_view key) {
    return hex_decode(text_at(object, key)).value();
}
std::uint64_t number_at(json::object const& object, std::string_view key) {
    return static_cast<std::uint64_t>(integer_at(object, key).value());
}
RowIdentity identity_from(json::object const& row) {
    RowIdentity out{text_at(row, "table"),    text_at(row, "column"),       text_at(row, "tenant"),
                    text_at(row, "row"),      text_at(row, "registration"), text_at(row, "issuer"),
                    text_at(row, "api_host"), number_at(row, "generation")};
    if (auto const* const facts = array_at(row, "facts")) {
        for (auto const& fact : *facts) {
            out.facts.emplace_back(fact.get_string());
        }
    }
    return out;
}

class FormatVectors : public ::testing::Test {
 protected:
    json::object const& part(std::string_view key) const { return *object_at(all_, key); }
    json::array const& list(json::object const& of, std::string_view key) const {
        return *array_at(of, key);
    }
    json::object const all_ = read_data_file("vault_formats.json").as_object();
};

TEST_F(FormatVectors, a_field_too_long_for_its_length_is_hashed_and_facts_follow_the_place) {
    json::array vectors = list(all_, "long_fields");
    auto const& with_facts = list(all_, "facts");
    ASSERT_EQ(with_facts.size(), 2U);
    vectors.insert(vectors.end(), with_facts.begin(), with_facts.end());
    for (auto const& entry : vectors) {
        auto const& vector = entry.get_object();
        auto const identity = identity_from(*object_at(vector, "identity"));
        SCOPED_TRACE(identity.issuer.size());
        auto const key = bytes_at(vector, "key");
        auto const plain = bytes_at(vector, "plain");
        auto const kind = static_cast<SealedKind>(number_at(vector, "kind"));
        EXPECT_EQ(
            hex_encode(seal_record(kind, Secret::copy_of(plain),
                                   static_cast<std::uint32_t>(number_at(vector, "key_id")),
                                   raw(key), bytes_at(vector, "nonce"), associated_data(identity))),
            text_at(vector, "record"));
        auto const opened =
            open_record(kind, bytes_at(vector, "record"), raw(key), associated_data(identity));
        ASSERT_TRUE(opened);
        EXPECT_EQ(plain_of(*opened), plain);
    }
}

class RingVectors : public FormatVectors {
 protected:
    RingVectors() {
        for (auto const& entry : list(ring_, "keys")) {
            auto const& row = entry.get_object();
            rows_.push_back({static_cast<std::uint32_t>(number_at(row, "id")),
                             text_at(row, "purpose"), text_at(row, "state"),
                             static_cast<std::uint32_t>(number_at(row, "root_id")),
                             bytes_at(row, "wrapped"), bytes_at(row, "commitment"),
                             time_from_ms(integer_at(row, "created_at_ms").value())});
        }
    }
    Result<std::unique_ptr<Keyring>> open() {
        auto const filled = store_.transact_one([&](StoreTransaction& rows) -> Result<void> {
            for (auto const& row : rows_) {
                if (auto const put = rows.put_key(row); !put) {
                    return put;
                }
            }
            (void)rows.put_meta("ring_version", text_at(ring_, "version"));
            return rows.put_meta("ring_mac", text_at(ring_, mac_));
        });
        EXPECT_TRUE(filled);
        std::vector<Secret> roots;
        roots.push_back(Secret::copy_of(bytes_at(ring_, "root")));
        return Keyring::open(std::move(roots), store_, false, Time(Seconds(1)), random_);
    }

    json::object const& ring_ = part("key_ring");
    std::string mac_ = "mac";
    std::vector<KeyRow> rows_;
    MemoryStore store_;
    SeededRandom random_;
};

TEST_F(RingVectors, a_ring_opens_to_its_data_keys) {
    auto const ring = open();
    ASSERT_TRUE(ring) << ring.error().message();
    for (auto const& entry : list(ring_, "keys")) {
        auto const& row = entry.get_object();
        auto const key = (*ring)->active(text_at(row, "purpose"));
        ASSERT_TRUE(key);
        EXPECT_EQ(hex_encode({reinterpret_cast<char const*>(key->key), KeyArena::key_bytes}),
                  text_at(row, "data_key"));
    }
    EXPECT_EQ(hex_encode({reinterpret_cast<char const*>(*(*ring)->find_spool_key(0)), 32}),
              text_at(part("spool"), "key"));
    auto const& sealed = *object_at(ring_, "sealed");
    auto const opened =
        Envelope(**ring, random_)
            .open(static_cast<SealedKind>(number_at(sealed, "kind")), bytes_at(sealed, "record"),
                  identity_from(*object_at(sealed, "place")));
    ASSERT_TRUE(opened);
    EXPECT_EQ(plain_of(*opened), text_at(sealed, "plain"));
}

// By somebody who has the ring's key: its seal fits, and still the data key is not the one that was
// committed to.
TEST_F(RingVectors, a_ring_with_a_commitment_to_another_key_is_refused) {
    std::swap(rows_[0].commitment, rows_[1].commitment);
    mac_ = "mac_of_swapped_commitments";
    auto const ring = open();
    ASSERT_FALSE(ring);
    EXPECT_EQ(ring.error().code(), ErrorCode::keyring_invalid);
}

TEST_F(FormatVectors, a_spool_segment_reads_to_its_answers_and_notes) {
    auto const& spool = part("spool");
    auto const& told = list(spool, "frames");
    auto const segment = spool::read_segment(bytes_at(spool, "segment"));
    EXPECT_FALSE(segment.torn);
    EXPECT_EQ(segment.damaged, 0U);
    ASSERT_EQ(segment.frames.size(), told.size());
    auto const key = bytes_at(spool, "key");
    std::string written;
    for (std::size_t i = 0; i < told.size(); ++i) {
        auto const& expected = told[i].get_object();
        auto const& frame = segment.frames[i];
        EXPECT_EQ(frame.seq, number_at(expected, "seq"));
        if (auto const committed = integer_at(expected, "committed")) {
            ASSERT_TRUE(frame.note);
            EXPECT_EQ(frame.note->committed, static_cast<std::uint64_t>(*committed));
            written += spool::write_frame(frame.seq, *frame.note);
            continue;
        }
        ASSERT_TRUE(frame.answer);
        auto const& entry = *object_at(expected, "entry");
        auto const& answer = *frame.answer;
        EXPECT_EQ(static_cast<std::uint64_t>(answer.identity.kind), number_at(entry, "kind"));
        EXPECT_EQ(answer.identity.connection, text_at(entry, "connection"));
        EXPECT_EQ(answer.identity.family, number_at(entry, "family"));
        EXPECT_EQ(answer.identity.generation, number_at(entry, "generation"));
        EXPECT_EQ(answer.identity.attempt, text_at(entry, "attempt"));
        EXPECT_EQ(to_ms(answer.received_at), integer_at(entry, "received_at_ms"));
        auto const place =
            spool::place_of(text_at(spool, "node"), answer.identity, answer.received_at);
        auto const opened = open_record(SealedKind::spool_response, answer.record, raw(key), place);
        ASSERT_TRUE(opened);
        EXPECT_EQ(plain_of(*opened), text_at(expected, "answer"));
        auto again = answer;
        again.record = seal_record(SealedKind::spool_response, *opened, 0, raw(key),
                                   bytes_at(expected, "nonce"), place);
        written += spool::write_frame(frame.seq, again);
    }
    EXPECT_EQ(hex_encode(written + std::string(64, '\0')), text_at(spool, "segment"));
}

}  // namespace
}  // namespace brickgate::testing

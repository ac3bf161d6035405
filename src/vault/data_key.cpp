// SPDX-License-Identifier: Apache-2.0
#include "vault/data_key.h"

#include <sodium.h>

#include <array>

#include "base/encoding.h"
#include "vault/record.h"

namespace brickgate {

namespace {

AssociatedData place_of(KeyRow const& row) {
    AssociatedData out("brickgate/dek/v1");
    out.number(row.id)
        .absent()  // the tenant: there is one key for all
        .field(row.purpose)
        .number(static_cast<std::uint64_t>(to_ms(row.created_at)))
        .number(row.root_id);
    return out;
}

// Neither XChaCha20-Poly1305 nor its kin commits to a key; this does (C.4).
std::string commitment_of(Secret const& key, std::uint32_t id) {
    Secret const commit_key = derive_key(key, "bgcommit");
    return commit_key.expose([&](std::string_view bytes) {
        return keyed_hash(reinterpret_cast<unsigned char const*>(bytes.data()),
                          {"brickgate/commit/v1", root_id_text(id)}, 32);
    });
}

}  // namespace

Secret derive_key(Secret const& from, std::string_view context) {
    Secret out = Secret::zeros(KeyArena::key_bytes);
    from.expose([&](std::string_view key) {
        out.write([&](std::span<char> bytes) {
            crypto_kdf_derive_from_key(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                                       1, context.data(),
                                       reinterpret_cast<unsigned char const*>(key.data()));
        });
    });
    return out;
}

std::uint32_t id_of_root(Secret const& root) {
    std::array<unsigned char, 16> hash{};
    static constexpr std::string_view label = "brickgate-root-id";
    root.expose([&](std::string_view key) {
        crypto_generichash(hash.data(), hash.size(),
                           reinterpret_cast<unsigned char const*>(label.data()), label.size(),
                           reinterpret_cast<unsigned char const*>(key.data()), key.size());
    });
    return static_cast<std::uint32_t>(hash[0]) << 24 | static_cast<std::uint32_t>(hash[1]) << 16 |
           static_cast<std::uint32_t>(hash[2]) << 8 | hash[3];
}

std::string root_id_text(std::uint32_t id) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) {
        bytes += static_cast<char>(id >> shift & 0xFF);
    }
    return hex_encode(bytes);
}

void wrap_data_key(KeyRow& row, Secret const& key, KeyArena::Key root_wrap,
                   std::string_view nonce) {
    row.wrapped =
        seal_record(SealedKind::data_key, key, row.root_id, root_wrap, nonce, place_of(row));
    row.commitment = commitment_of(key, row.id);
}

Result<Secret> unwrap_data_key(KeyRow const& row, KeyArena::Key root_wrap) {
    auto key = open_record(SealedKind::data_key, row.wrapped, root_wrap, place_of(row));
    if (!key || key->size() != KeyArena::key_bytes ||
        commitment_of(*key, row.id) != row.commitment) {
        return fail(ErrorCode::keyring_invalid,
                    "The key ring was changed: a data key does not open.");
    }
    return key;
}

std::string ring_mac(std::vector<KeyRow> const& rows, std::string_view version,
                     KeyArena::Key ring_key) {
    std::string all = std::to_string(rows.size());
    for (auto const& row : rows) {
        AssociatedData fields("row");
        fields.number(row.id)
            .field(row.purpose)
            .field(row.state)
            .number(row.root_id)
            .field(row.wrapped)
            .field(row.commitment)
            .number(static_cast<std::uint64_t>(to_ms(row.created_at)));
        all += fields.bytes({});
    }
    return hex_encode(keyed_hash(ring_key, {version, all}, 32));
}

}  // namespace brickgate

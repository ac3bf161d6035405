// SPDX-License-Identifier: Apache-2.0
#pragma once
// Record format version 1 (security design C.3), the only one: version, algorithm, key id, nonce,
// XChaCha20-Poly1305 ciphertext and tag. The associated data is the header and whatever fields the
// caller computes from the record's place, each with its length, so that no two places read alike.
// Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "vault/key_arena.h"

namespace brickgate {

enum class SealedKind : std::uint8_t {
    access_token = 1,
    refresh_token = 2,
    id_token_claims = 3,
    client_secret = 4,
    pkce_verifier = 5,
    sealed_code = 6,
    webhook_secret = 7,
    spool_response = 8,
    data_key = 9,
};

// A magic word, the record's header, then length-prefixed fields (u16, big endian). An absent one
// is 0xFFFF; 0xFFFE stands before the hash of one that is longer than any of ours. So no two lists
// of fields read alike.
class AssociatedData {
 public:
    explicit AssociatedData(std::string_view magic) : magic_(magic) {}
    AssociatedData& field(std::string_view value);
    AssociatedData& absent();
    AssociatedData& number(std::uint64_t value);  // 8 bytes, big endian
    std::string bytes(std::string_view header) const;

 private:
    std::string magic_;
    std::string fields_;
};

constexpr std::size_t record_nonce_bytes = 24;
constexpr std::size_t record_overhead = 46;

std::string seal_record(SealedKind kind, Secret const& plain, std::uint32_t key_id,
                        KeyArena::Key key, std::string_view nonce, AssociatedData const& place);
std::optional<std::uint32_t> key_id_of_record(std::string_view record);
// The one verdict, whatever is wrong (T78).
std::unexpected<Error> bad_record();
Result<Secret> open_record(SealedKind kind, std::string_view record, KeyArena::Key key,
                           AssociatedData const& place);

// Keyed BLAKE2b over the parts, each with its length before it.
std::string keyed_hash(KeyArena::Key key, std::initializer_list<std::string_view> parts,
                       std::size_t bytes);

}  // namespace brickgate

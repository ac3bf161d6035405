// SPDX-License-Identifier: Apache-2.0
#include "vault/record.h"

#include <sodium.h>

#include <algorithm>

#include "base/encoding.h"

namespace brickgate {

namespace {

constexpr char version = 0x01;
constexpr char xchacha20_poly1305 = 0x01;
constexpr std::size_t header_bytes = 6;
constexpr std::size_t block = 64;      // padding hides the exact length of a token
constexpr std::size_t plain_head = 5;  // kind, u32 length
constexpr std::uint64_t absent_field = 0xFFFF;
constexpr std::uint64_t hashed_field = 0xFFFE;

std::string big_endian(std::uint64_t value, std::size_t bytes) {
    std::string out(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) {
        out[bytes - 1 - i] = static_cast<char>((value >> (8 * i)) & 0xFF);
    }
    return out;
}

std::uint64_t from_big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (char const c : bytes) {
        value = value << 8 | static_cast<unsigned char>(c);
    }
    return value;
}

unsigned char const* bytes_of(std::string_view text) {
    return reinterpret_cast<unsigned char const*>(text.data());
}

Result<Secret> unpad(SealedKind kind, std::string_view plain) {
    if (plain.size() < plain_head || plain[0] != static_cast<char>(kind)) {
        return bad_record();
    }
    std::uint64_t const size = from_big_endian(plain.substr(1, 4));
    if (size > plain.size() - plain_head) {
        return bad_record();
    }
    auto const padding = plain.substr(plain_head + size);
    if (!std::ranges::all_of(padding, [](char c) { return c == 0; })) {
        return bad_record();
    }
    return Secret::copy_of(plain.substr(plain_head, size));
}

}  // namespace

std::unexpected<Error> bad_record() {
    return fail(ErrorCode::vault_error, "A sealed record does not open in its place.");
}

AssociatedData& AssociatedData::field(std::string_view value) {
    if (value.size() >= hashed_field) {
        fields_ += big_endian(hashed_field, 2) + sha256(value);
        return *this;
    }
    fields_ += big_endian(value.size(), 2);
    fields_ += value;
    return *this;
}

AssociatedData& AssociatedData::absent() {
    fields_ += big_endian(absent_field, 2);
    return *this;
}

std::string AssociatedData::bytes(std::string_view header) const {
    return magic_ + std::string(header) + fields_;
}

AssociatedData& AssociatedData::number(std::uint64_t value) {
    return field(big_endian(value, 8));
}

std::string seal_record(SealedKind kind, Secret const& plain, std::uint32_t key_id,
                        KeyArena::Key key, std::string_view nonce, AssociatedData const& place) {
    std::size_t const padded = (plain_head + plain.size() + block - 1) / block * block;
    Secret text = Secret::zeros(padded);
    text.write([&](std::span<char> out) {
        out[0] = static_cast<char>(kind);
        auto const at = std::ranges::copy(big_endian(plain.size(), 4), out.begin() + 1).out;
        plain.expose([&](std::string_view bytes) { std::ranges::copy(bytes, at); });
    });
    std::string record{version, xchacha20_poly1305};
    record += big_endian(key_id, 4);
    std::string const associated = place.bytes(record);
    record += nonce;
    std::size_t const start = record.size();
    record.resize(start + padded + crypto_aead_xchacha20poly1305_ietf_ABYTES);
    text.expose([&](std::string_view bytes) {
        crypto_aead_xchacha20poly1305_ietf_encrypt(
            reinterpret_cast<unsigned char*>(record.data() + start), nullptr, bytes_of(bytes),
            bytes.size(), bytes_of(associated), associated.size(), nullptr, bytes_of(nonce), key);
    });
    return record;
}

std::optional<std::uint32_t> key_id_of_record(std::string_view record) {
    if (record.size() < record_overhead + block || record[0] != version ||
        record[1] != xchacha20_poly1305) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(from_big_endian(record.substr(2, 4)));
}

Result<Secret> open_record(SealedKind kind, std::string_view record, KeyArena::Key key,
                           AssociatedData const& place) {
    if (!key_id_of_record(record)) {
        return bad_record();
    }
    std::string const associated = place.bytes(record.substr(0, header_bytes));
    auto const nonce = record.substr(header_bytes, record_nonce_bytes);
    auto const sealed = record.substr(header_bytes + record_nonce_bytes);
    Secret plain = Secret::zeros(sealed.size() - crypto_aead_xchacha20poly1305_ietf_ABYTES);
    int const failed = plain.write([&](std::span<char> out) {
        return crypto_aead_xchacha20poly1305_ietf_decrypt(
            reinterpret_cast<unsigned char*>(out.data()), nullptr, nullptr, bytes_of(sealed),
            sealed.size(), bytes_of(associated), associated.size(), bytes_of(nonce), key);
    });
    if (failed != 0) {
        return bad_record();
    }
    return plain.expose([&](std::string_view text) { return unpad(kind, text); });
}

std::string keyed_hash(KeyArena::Key key, std::initializer_list<std::string_view> parts,
                       std::size_t bytes) {
    std::string out(bytes, '\0');
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, KeyArena::key_bytes, bytes);
    for (auto const part : parts) {
        std::string const size = big_endian(part.size(), 8);
        crypto_generichash_update(&state, bytes_of(size), size.size());
        crypto_generichash_update(&state, bytes_of(part), part.size());
    }
    crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(out.data()), bytes);
    return out;
}

}  // namespace brickgate

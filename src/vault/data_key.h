// SPDX-License-Identifier: Apache-2.0
#pragma once
// One row of the key ring and the whole ring's seal (security design C.4): how a data key is
// wrapped under a root, how it is committed to, what the ring's MAC covers. Pure. Errors:
// keyring_invalid.
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "vault/key_arena.h"
#include "vault/store.h"

namespace brickgate {

namespace key_state {
inline constexpr std::string_view pending = "pending";
inline constexpr std::string_view active = "active";
inline constexpr std::string_view decrypt_only = "decrypt_only";
inline constexpr std::string_view destroyed = "destroyed";
}  // namespace key_state

// Contexts have 8 characters (C.2).
Secret derive_key(Secret const& from, std::string_view context);
std::uint32_t id_of_root(Secret const& root);
std::string root_id_text(std::uint32_t id);  // hex, to name the key without showing it

// `row` says all but wrapped and commitment, which are filled in. The nonce has 24 bytes.
void wrap_data_key(KeyRow& row, Secret const& key, KeyArena::Key root_wrap, std::string_view nonce);
Result<Secret> unwrap_data_key(KeyRow const& row, KeyArena::Key root_wrap);
// Rows in the order of their ids.
std::string ring_mac(std::vector<KeyRow> const& rows, std::string_view version,
                     KeyArena::Key ring_key);

}  // namespace brickgate

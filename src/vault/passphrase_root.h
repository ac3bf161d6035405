// SPDX-License-Identifier: Apache-2.0
#pragma once
// A root key out of a passphrase: Argon2id (libsodium), with salt and cost in a small file of the
// data folder (C.2). Whoever changes that file gets another key, which opens nothing. Takes about a
// second and the memory of its cost. Errors: root_key_invalid.
#include <filesystem>

#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"

namespace brickgate {

struct PassphraseCost {
    unsigned long long passes = 3;
    std::size_t memory_bytes = std::size_t{256} * 1024 * 1024;
};
constexpr std::size_t passphrase_characters_min = 12;

// The file is made at the first use, with the cost given; later its own cost counts.
Result<Secret> root_from_passphrase(std::filesystem::path const& file, Secret const& passphrase,
                                    Random& random, PassphraseCost cost = {});

}  // namespace brickgate

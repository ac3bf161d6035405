// SPDX-License-Identifier: Apache-2.0
#pragma once
// The keys that spool entries are sealed under, by the id that each entry names. The bytes live as
// long as the object. Any thread.
#include <cstdint>
#include <optional>

#include "vault/key_arena.h"

namespace brickgate {

class SpoolKeys {
 public:
    struct SpoolKey {
        std::uint32_t id = 0;
        KeyArena::Key key = nullptr;
    };
    virtual ~SpoolKeys() = default;
    virtual SpoolKey spool_key() const = 0;  // for new entries
    virtual std::optional<KeyArena::Key> find_spool_key(std::uint32_t id) const = 0;
};

}  // namespace brickgate

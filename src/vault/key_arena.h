// SPDX-License-Identifier: Apache-2.0
#pragma once
// Long-lived keys, 32 bytes each, on pages of their own: locked where the system allows it, left
// out of core dumps, wiped in a forked child, with a guard page on either side. One mapping for all
// keys, because a mapping each runs a process out of them (security design C.7). add() is for one
// thread at a time; reading what it gave is for any.
#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace brickgate {

class KeyArena {
 public:
    static constexpr std::size_t key_bytes = 32;
    using Key = unsigned char const*;  // 32 bytes that live as long as the arena

    KeyArena() = default;
    ~KeyArena();
    KeyArena(KeyArena const&) = delete;
    KeyArena& operator=(KeyArena const&) = delete;

    Result<void> open(bool lock_required);
    Key add(Secret const& key);  // of exactly 32 bytes
    bool locked() const { return locked_; }

 private:
    unsigned char* mapping_ = nullptr;
    unsigned char* keys_ = nullptr;
    std::size_t used_ = 0;
    bool locked_ = false;
};

}  // namespace brickgate

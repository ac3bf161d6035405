// SPDX-License-Identifier: Apache-2.0
#include "vault/key_arena.h"

#include <sodium.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

namespace brickgate {

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t arena_bytes = 16 * page;  // 2,048 keys
constexpr std::size_t mapping_bytes = arena_bytes + 2 * page;

}  // namespace

Result<void> KeyArena::open(bool lock_required) {
    void* const mapped =
        mmap(nullptr, mapping_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) {
        return fail(ErrorCode::internal, "There is no memory for the keys.");
    }
    mapping_ = static_cast<unsigned char*>(mapped);
    keys_ = mapping_ + page;
    mprotect(keys_, arena_bytes, PROT_READ | PROT_WRITE);
    madvise(keys_, arena_bytes, MADV_DONTDUMP);
    madvise(keys_, arena_bytes, MADV_WIPEONFORK);
    locked_ = mlock(keys_, arena_bytes) == 0;
    if (!locked_ && lock_required) {
        return fail(ErrorCode::config_invalid,
                    "The keys' memory cannot be locked: raise LimitMEMLOCK, or set "
                    "data.memory_lock to best_effort.");
    }
    return {};
}

KeyArena::~KeyArena() {
    if (!mapping_) {
        return;
    }
    sodium_memzero(keys_, arena_bytes);
    munmap(mapping_, mapping_bytes);
}

KeyArena::Key KeyArena::add(Secret const& key) {
    // Data keys number a handful; running out means a ring that no operator could have made.
    if (key.size() != key_bytes || used_ + key_bytes > arena_bytes) {
        std::abort();
    }
    unsigned char* const place = keys_ + used_;
    used_ += key_bytes;
    key.expose([&](std::string_view bytes) { std::memcpy(place, bytes.data(), bytes.size()); });
    return place;
}

}  // namespace brickgate

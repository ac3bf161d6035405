// SPDX-License-Identifier: Apache-2.0
#include "vault/root_rotation.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "vault/data_key.h"
#include "vault/root_key.h"

namespace brickgate {

namespace {

std::unexpected<Error> elsewhere(std::string hint) {
    return std::unexpected(Error(ErrorCode::invalid_request,
                                 "The root key does not come from a file of the gateway's.")
                               .with_hint(std::move(hint)));
}

}  // namespace

Task<Result<void>> RootRotation::rotate() {
    if (parts_.file.empty()) {
        co_return elsewhere(
            "Put a new line before the old one where the root key comes from, and restart: the "
            "start takes the key ring over. Then take the old line out.");
    }
    if (parts_.spool.count_by_key().contains(0)) {
        co_return fail(ErrorCode::key_in_use,
                       "The spool has answers that are sealed under the root key itself.");
    }
    auto file = load_root_key_file(parts_.file, parts_.random);
    if (!file) {
        co_return fail(std::move(file.error()));
    }
    // Another first key is what a crash left, or what an operator has put there.
    bool const there = root_id_text(id_of_root(file->keys.front())) != parts_.keyring.root_id();
    if (!there) {
        file->keys.insert(file->keys.begin(),
                          Secret::from(parts_.random.bytes(KeyArena::key_bytes)));
        if (auto const written = replace_root_key_file(parts_.file, file->keys); !written) {
            co_return written;
        }
    }
    failpoint("R8a");
    auto rows = parts_.keyring.with_root(parts_.keyring.rows(), file->keys.front(), parts_.random);
    if (!rows) {
        co_return fail(std::move(rows.error()));
    }
    auto const committed = co_await parts_.keys.commit(std::move(*rows), "R8");
    if (committed) {
        log(LogLevel::warning, "root_key_rotated",
            "The key ring is under a new root key. Keep a copy of it, apart from every other "
            "backup.",
            {{"root_key", parts_.keyring.root_id()}, {"file", parts_.file.string()}});
    }
    co_return committed;
}

Task<Result<void>> RootRotation::retire(std::string id) {
    if (id == parts_.keyring.root_id()) {
        co_return fail(ErrorCode::key_in_use,
                       "Root key " + id +
                           " wraps the data keys: brickgate keys rotate --root "
                           "makes another.");
    }
    auto const former = parts_.keyring.former_roots();
    if (std::ranges::find(former, id) == former.end()) {
        co_return fail(ErrorCode::not_found, "There is no such root key.");
    }
    if (parts_.file.empty()) {
        co_return elsewhere("Take its line out where the root key comes from, and restart.");
    }
    auto file = load_root_key_file(parts_.file, parts_.random);
    if (!file) {
        co_return fail(std::move(file.error()));
    }
    std::erase_if(file->keys,
                  [&](Secret const& key) { return root_id_text(id_of_root(key)) == id; });
    failpoint("R9");
    if (auto const written = replace_root_key_file(parts_.file, file->keys); !written) {
        co_return written;
    }
    failpoint("R9b");
    parts_.keyring.forget_root(id);
    log(LogLevel::info, "root_key_retired", "A former root key is out of the file.",
        {{"root_key", id}});
    co_return Result<void>{};
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the statements of sqlite_transaction and sqlite_connections make of their counts and rows.
// Private to sqlite_store.
#include <optional>
#include <vector>

#include "vault/sqlite.h"

namespace brickgate::sqlite {

inline Result<void> ignore_count(Result<std::size_t> const& done) {
    if (!done) {
        return fail(done.error());
    }
    return {};
}

inline Result<bool> any(Result<std::size_t> const& done) {
    if (!done) {
        return fail(done.error());
    }
    return *done > 0;
}

// The last of the rows seen, or none.
template <class T>
Result<std::optional<T>> one(Result<std::size_t> const& done, std::optional<T>& found) {
    if (!done) {
        return fail(done.error());
    }
    return std::move(found);
}

template <class T>
Result<std::vector<T>> all(Result<std::size_t> const& done, std::vector<T>& found) {
    if (!done) {
        return fail(done.error());
    }
    return std::move(found);
}

}  // namespace brickgate::sqlite

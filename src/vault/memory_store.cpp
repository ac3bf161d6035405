// SPDX-License-Identifier: Apache-2.0
#include "vault/memory_store.h"

#include <algorithm>

#include "vault/memory_transaction.h"

namespace brickgate {

std::vector<Result<void>> MemoryStore::transact(std::span<StoreJob const> jobs) {
    MemoryRows rows = rows_;
    std::vector<Result<void>> results;
    results.reserve(jobs.size());
    for (auto const& job : jobs) {
        MemoryRows attempt = rows;
        MemoryTransaction transaction(attempt);
        results.push_back(job(transaction));
        if (results.back()) {
            rows = std::move(attempt);
        }
    }
    Result<void> const lost = fail(ErrorCode::store_unavailable, "The database does not answer.");
    if (failing_ > 0) {
        failing_ -= 1;
        return std::vector<Result<void>>(jobs.size(), lost);
    }
    rows_ = std::move(rows);
    if (unheard_ > 0 && --unheard_ == 0) {
        return std::vector<Result<void>>(jobs.size(), lost);
    }
    return results;
}

}  // namespace brickgate

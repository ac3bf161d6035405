// SPDX-License-Identifier: Apache-2.0
#include "vault/store_runner.h"

namespace brickgate {

namespace {

constexpr std::size_t queue_max = 100'000;  // logins and refreshes are bounded far below

}  // namespace

ThreadedStoreRunner::ThreadedStoreRunner(Store& store)
    : worker_("store", queue_max,
              [&store](std::vector<StoreJob> jobs) { return store.transact(jobs); }) {}

Task<Result<void>> ThreadedStoreRunner::run(StoreJob job) {
    auto ran = co_await worker_.submit(std::move(job));
    if (!ran) {
        co_return fail(std::move(ran.error()));
    }
    co_return std::move(*ran);
}

Task<Result<void>> InlineStoreRunner::run(StoreJob job) {
    co_return store_.transact_one(job);
}

}  // namespace brickgate

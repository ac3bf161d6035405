// SPDX-License-Identifier: Apache-2.0
#pragma once
// Brings store jobs to a store. The threaded one takes what has queued up and commits it as one;
// the inline one runs at once, for commands, tests and simulation.
#include "net/worker_thread.h"
#include "vault/store.h"
#include "vault/vault.h"

namespace brickgate {

class ThreadedStoreRunner final : public StoreRunner {
 public:
    explicit ThreadedStoreRunner(Store& store);
    Task<Result<void>> run(StoreJob job) override;
    void stop() { worker_.stop(); }

 private:
    BatchWorker<StoreJob, Result<void>> worker_;
};

class InlineStoreRunner final : public StoreRunner {
 public:
    explicit InlineStoreRunner(Store& store) : store_(store) {}
    Task<Result<void>> run(StoreJob job) override;

 private:
    Store& store_;
};

}  // namespace brickgate

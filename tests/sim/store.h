// SPDX-License-Identifier: Apache-2.0
#pragma once
// The database of a simulation: the rules of the reference store, on rows that outlive every
// process. A commit may be refused, may be slow, and may be done without its success being heard
// of.
#include <functional>

#include "sim/faults.h"
#include "sim/process.h"
#include "vault/memory_transaction.h"
#include "vault/vault.h"

namespace brickgate::sim {

class SimStore final : public Store {
 public:
    explicit SimStore(Break broken) : broken_(broken) {}

    std::vector<Result<void>> transact(std::span<StoreJob const> jobs) override;
    MemoryRows const& rows() const { return rows_; }
    void on_commit(std::function<void()> tell) { tell_ = std::move(tell); }
    // A store that says "committed" too early loses what it was not done with.
    void synced();
    void lose_unsynced();

 private:
    void follow();
    Break broken_;
    MemoryRows rows_;
    MemoryRows before_;  // as the last job left them
    MemoryRows durable_;
    std::function<void()> tell_;
};

class SimRunner final : public StoreRunner {
 public:
    SimRunner(SimStore& store, std::shared_ptr<Process> process, Faults& faults, Dice& dice,
              std::function<void()> at_door)
        : store_(store),
          process_(std::move(process)),
          faults_(faults),
          dice_(dice),
          at_door_(std::move(at_door)) {}
    Task<Result<void>> run(StoreJob job) override;

 private:
    Milliseconds some_time();

    SimStore& store_;
    std::shared_ptr<Process> process_;
    Faults& faults_;
    Dice& dice_;
    std::function<void()> at_door_;
};

}  // namespace brickgate::sim

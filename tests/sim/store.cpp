// SPDX-License-Identifier: Apache-2.0
#include "sim/store.h"

#include <tuple>

namespace brickgate::sim {

namespace {

using namespace std::chrono_literals;

std::unexpected<Error> unavailable() {
    return fail(ErrorCode::store_unavailable, "The simulated database does not answer.");
}

// The reference rules, and what becomes of them in designs that do without one.
class Transaction final : public MemoryTransaction {
 public:
    Transaction(MemoryRows& rows, Break broken)
        : MemoryTransaction(rows), rows_(rows), broken_(broken) {}

    Result<std::optional<Connection>> claim(ClaimRequest const& request) override {
        ClaimRequest asked = request;
        if (has(broken_, Break::short_lease)) {
            asked.lease = 10s;
        }
        auto const row = rows_.connections.find(request.id.value());
        bool const theirs = row != rows_.connections.end() && row->second.intent &&
                            row->second.intent->node != request.node;
        if (has(broken_, Break::no_hold) && theirs &&
            row->second.lease.until.value_or(request.now) <= request.now) {
            row->second.intent.reset();
        }
        return MemoryTransaction::claim(asked);
    }
    Result<SaveOutcome> save_tokens(TokenSave const& save) override {
        auto const row = rows_.connections.find(save.id.value());
        if (has(broken_, Break::no_cas) && row != rows_.connections.end()) {
            row->second.generation = save.generation;
        }
        return MemoryTransaction::save_tokens(save);
    }
    Result<bool> fail_fenced(Fence const& fence, ReauthReason reason, std::string const& last_error,
                             Time now) override {
        auto const row = rows_.connections.find(fence.id.value());
        Fence asked = fence;
        if (has(broken_, Break::no_fence) && row != rows_.connections.end()) {
            Connection& found = row->second;
            found.intent = found.intent.value_or(
                Intent{fence.node, "", fence.attempt, found.generation, now, 1});
            asked = {found.id,          found.family,       found.generation,
                     found.lease.epoch, found.intent->node, found.intent->attempt};
        }
        return MemoryTransaction::fail_fenced(asked, reason, last_error, now);
    }

 private:
    MemoryRows& rows_;
    Break broken_;
};

// The fields that any statement changes.
auto changing(Connection const& row) {
    return std::tie(row.state, row.family, row.generation, row.lease.epoch, row.lease.until,
                    row.refresh_due_at, row.next_attempt_at, row.fail_count, row.updated_at,
                    row.last_attempt, row.sealed_access, row.sealed_refresh,
                    row.sealed_alt_refresh);
}

}  // namespace

// Only what has changed is copied: most jobs only read, and copying all would be most of the time.
void SimStore::follow() {
    for (auto const& [id, row] : rows_.connections) {
        auto const known = before_.connections.find(id);
        if (known == before_.connections.end() || changing(known->second) != changing(row)) {
            before_.connections[id] = row;
        }
    }
    if (before_.logins.size() != rows_.logins.size()) {
        before_.logins = rows_.logins;
    }
    if (before_.keys.size() != rows_.keys.size() || before_.meta.size() != rows_.meta.size()) {
        before_.keys = rows_.keys;
        before_.meta = rows_.meta;
    }
}

std::vector<Result<void>> SimStore::transact(std::span<StoreJob const> jobs) {
    std::vector<Result<void>> results;
    for (auto const& job : jobs) {
        Transaction transaction(rows_, broken_);
        results.push_back(job(transaction));
        rows_.events.clear();
        if (results.back()) {
            follow();
        } else {
            rows_ = before_;
        }
    }
    if (tell_) {
        tell_();
    }
    return results;
}

void SimStore::synced() {
    if (has(broken_, Break::lazy_store)) {
        durable_ = rows_;
    }
}

void SimStore::lose_unsynced() {
    if (has(broken_, Break::lazy_store)) {
        rows_ = before_ = durable_;
        if (tell_) {
            tell_();
        }
    }
}

Milliseconds SimRunner::some_time() {
    return faults_.strikes(Fault::store_slow) ? dice_.between(100ms, 5s) : dice_.between(0ms, 3ms);
}

Task<Result<void>> SimRunner::run(StoreJob job) {
    at_door_();
    co_await process_->pause(some_time());
    if (faults_.strikes(Fault::store_refused)) {
        co_return unavailable();
    }
    auto result = store_.transact_one(job);
    if (result && faults_.strikes(Fault::store_unknown)) {
        result = unavailable();
    }
    at_door_();
    co_await process_->pause(some_time());
    co_return result;
}

}  // namespace brickgate::sim

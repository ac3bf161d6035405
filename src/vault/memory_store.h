// SPDX-License-Identifier: Apache-2.0
#pragma once
// The store in words that can be read: what every other store must do, and what tests and the
// simulator run on. A job works on a copy that takes the place of the rows when it succeeds. One
// thread at a time.
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "vault/store.h"

namespace brickgate {

struct MemoryRows {
    std::map<std::string, LoginRow> logins;  // by state_hash
    std::map<std::string, Connection> connections;
    std::map<std::string, ApiKeyRow> api_keys;
    std::map<std::string, CapabilityRow> capabilities;
    std::map<std::uint32_t, KeyRow> keys;
    std::map<std::string, std::string> meta;
    std::vector<EventRow> events;
};

class MemoryStore final : public Store {
 public:
    std::vector<Result<void>> transact(std::span<StoreJob const> jobs) override;

    // The next commits fail as on a broken disk: nothing of them is kept.
    void fail_commits(std::size_t count) { failing_ = count; }
    // The nth commit from now on is kept, and its success is not heard of.
    void lose_success_of(std::size_t nth) { unheard_ = nth; }
    MemoryRows& rows() { return rows_; }  // for tests that look or tamper

 private:
    MemoryRows rows_;
    std::size_t failing_ = 0;
    std::size_t unheard_ = 0;
};

}  // namespace brickgate

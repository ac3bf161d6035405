// SPDX-License-Identifier: Apache-2.0
#pragma once
// What other servers told us, by key: fresh for a while, then asked for again, served stale while
// the server is away, and a failure remembered for some seconds, so that a storm asks a dead host
// once. A value; belongs to one executor.
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/result.h"

namespace brickgate {

template <class T>
class AnswerCache {
 public:
    using Value = std::shared_ptr<T const>;

    // nullopt: ask. An error: it was asked just now, in vain.
    std::optional<Result<Value>> find(std::string const& key, Instant now) {
        auto const found = entries_.find(key);
        if (found == entries_.end()) {
            return std::nullopt;
        }
        Entry& entry = found->second;
        entry.used_at = now;
        if (entry.value && now < entry.fresh_until) {
            return entry.value;
        }
        if (entry.failure && now < entry.failed_at + failure_kept) {
            return after_failure(entry, now);
        }
        return std::nullopt;
    }

    void keep(std::string const& key, Value value, Instant now, Milliseconds fresh_for) {
        make_room_for(key);
        entries_[key] = {std::move(value), now, now + fresh_for, std::nullopt, now, now};
    }

    // `away`: the server could not be asked. What it said before is believed for a day then; an
    // answer that contradicts it ends that.
    Result<Value> keep_failure(std::string const& key, Error failure, Instant now, bool away) {
        make_room_for(key);
        Entry& entry = entries_[key];
        entry.used_at = now;
        entry.failure = std::move(failure);
        entry.failed_at = now;
        entry.fresh_until = now;
        if (!away) {
            entry.value.reset();
        }
        return after_failure(entry, now);
    }

 private:
    struct Entry {
        Value value;
        Instant fetched_at{};
        Instant fresh_until{};
        std::optional<Error> failure;
        Instant failed_at{};
        Instant used_at{};
    };
    static constexpr Milliseconds failure_kept = std::chrono::seconds(5);
    static constexpr Milliseconds stale_max = std::chrono::hours(24);
    static constexpr std::size_t entries_max = 4096;  // some MiB; more hosts are asked more often

    static Result<Value> after_failure(Entry const& entry, Instant now) {
        if (entry.value && now < entry.fetched_at + stale_max) {
            return entry.value;
        }
        return fail(*entry.failure);
    }
    // Somebody who thinks up names fills this with failures: those go first, then what was not
    // wanted for longest. What other workspaces said stays, for the time that they are away.
    void make_room_for(std::string const& key) {
        if (entries_.size() < entries_max || entries_.contains(key)) {
            return;
        }
        entries_.erase(std::ranges::min_element(entries_, {}, [](auto const& named) {
            return std::pair(named.second.value != nullptr, named.second.used_at);
        }));
    }

    std::unordered_map<std::string, Entry> entries_;
};

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// A spool in memory that shows what it holds and fails when told to. For one executor.
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "vault/spool.h"

namespace brickgate::testing {

class FakeSpool final : public Spool {
 public:
    struct Kept {
        std::uint64_t seq;
        SpoolIdentity identity;
        Time received_at;
        std::string answer;
    };

    Result<std::shared_ptr<Reservation>> reserve() override {
        if (full) {
            return fail(ErrorCode::spool_full, "The spool is full.");
        }
        return std::shared_ptr<Reservation>();
    }
    Task<Result<std::uint64_t>> append(std::shared_ptr<Reservation>, SpoolIdentity identity,
                                       Time received_at, Secret answer) override {
        if (broken) {
            co_return fail(ErrorCode::spool_full, "The disk did not confirm the write.");
        }
        std::uint64_t const seq = kept.size() + 1;
        kept.push_back({seq, std::move(identity), received_at,
                        answer.expose([](std::string_view text) { return std::string(text); })});
        if (on_append) {
            on_append();
        }
        co_return seq;
    }
    void committed(std::uint64_t seq, Time) override { settled.insert(seq); }
    void trim(Time) override {}
    // What a new run would find.
    std::vector<SpoolEntry> take_unresolved() override {
        std::vector<SpoolEntry> out;
        for (auto const& entry : kept) {
            if (!settled.contains(entry.seq)) {
                out.push_back(
                    {entry.seq, entry.identity, entry.received_at, Secret::copy_of(entry.answer)});
            }
        }
        return out;
    }

    std::map<std::uint32_t, std::uint64_t> count_by_key() override { return {}; }

    std::vector<Kept> kept;
    std::set<std::uint64_t> settled;
    bool full = false;
    bool broken = false;
    std::function<void()> on_append;
};

}  // namespace brickgate::testing

// SPDX-License-Identifier: Apache-2.0
#pragma once
// A vault with a rotation and a real spool, and timers that let a test act in its pauses.
#include <functional>

#include "support/temp_folder.h"
#include "unit/vault/vault_world.h"
#include "vault/data_key.h"
#include "vault/key_rotation.h"

namespace brickgate::testing {

class PausesOfAScript final : public Timers {
 public:
    Task<void> sleep_for(Milliseconds) override {
        if (in_pause) {
            in_pause();
        }
        co_return;
    }
    Task<void> sleep_until(Time) override { co_return; }
    std::function<void()> in_pause;
};

class RotationWorld : public VaultWorld {
 protected:
    std::unique_ptr<Spool> open_spool_again() {
        return open_spool({folder_ / "spool", "node_a", spool_segment}, *keyring_, random_).value();
    }
    KeyRow key(std::string_view purpose, std::string_view state) {
        for (auto const& row : keyring_->rows()) {
            if (row.purpose == purpose && row.state == state) {
                return row;
            }
        }
        return {};
    }
    SealedCounts records(std::uint32_t id) {
        auto const state = run_task(rotation_.state()).value();
        for (auto const& use : state.keys) {
            if (use.key.id == id) {
                return use.records;
            }
        }
        return {};
    }
    void spool_an_answer(std::string const& name) {
        auto room = spool_->reserve().value();
        auto const kept = run_task(spool_->append(std::move(room),
                                                  {SpoolKind::refresh, "con_" + name, 1, 1, "try"},
                                                  clock_.now(), Secret::copy_of("answer")));
        ASSERT_TRUE(kept);
        spool_->committed(*kept, clock_.now());
    }

    static constexpr std::size_t spool_segment = 512 * 1024;
    TempFolder folder_;
    Metrics metrics_;
    PausesOfAScript timers_;
    std::unique_ptr<Spool> spool_ = open_spool_again();
    KeyRotation rotation_{KeyRotation::Parts{*keyring_, envelope_, runner_, *spool_, clock_,
                                             random_, timers_, metrics_}};
};

}  // namespace brickgate::testing

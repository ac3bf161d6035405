// SPDX-License-Identifier: Apache-2.0
#pragma once
// The same bytes at each run for the same seed; never two equal tokens within a run. Any thread.
#include <cstdint>
#include <mutex>
#include <random>

#include "base/random.h"

namespace brickgate::testing {

class SeededRandom final : public Random {
 public:
    explicit SeededRandom(std::uint64_t seed = 1) : engine_(seed) {}

    void fill(std::span<std::byte> out) override {
        std::lock_guard const lock(mutex_);
        for (auto& byte : out) {
            byte = static_cast<std::byte>(engine_() & 0xFF);
        }
    }

 private:
    std::mutex mutex_;
    std::mt19937_64 engine_;
};

}  // namespace brickgate::testing

// SPDX-License-Identifier: Apache-2.0
#pragma once
// The real Clock and Random. Thread safe. The generator is libsodium's, which aborts when the
// kernel gives it nothing (T77).
#include "base/clock.h"
#include "base/random.h"

namespace brickgate {

class SystemClock final : public Clock {
 public:
    Time now() const override;
    Instant steady() const override;  // CLOCK_BOOTTIME: a suspended machine's time counts
};

class SystemRandom final : public Random {
 public:
    SystemRandom();
    void fill(std::span<std::byte> out) override;
};

}  // namespace brickgate

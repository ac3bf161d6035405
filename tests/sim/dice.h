// SPDX-License-Identifier: Apache-2.0
#pragma once
// All the chance of a simulation: numbers that follow from a seed alone, on every machine. The
// standard library's distributions differ from one implementation to the next, so none is used.
#include <bit>
#include <cstdint>
#include <cstring>

#include "base/clock.h"
#include "base/random.h"

namespace brickgate::sim {

class Dice {
 public:
    explicit Dice(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {  // SplitMix64
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }
    std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
    double unit() { return static_cast<double>(next() >> 11) / static_cast<double>(1ULL << 53); }
    bool chance(double probability) { return unit() < probability; }
    Milliseconds between(Milliseconds least, Milliseconds most) {
        auto const span = static_cast<std::uint64_t>((most - least).count());
        return least + Milliseconds(static_cast<std::int64_t>(below(span + 1)));
    }

 private:
    std::uint64_t state_;
};

// The product's own door to randomness, opened on the seed.
class SimRandom final : public Random {
 public:
    explicit SimRandom(std::uint64_t seed) : dice_(seed) {}
    void fill(std::span<std::byte> out) override {
        while (!out.empty()) {
            std::uint64_t const bits = dice_.next();
            std::size_t const part = std::min(out.size(), sizeof(bits));
            std::memcpy(out.data(), &bits, part);
            out = out.subspan(part);
        }
    }

 private:
    Dice dice_;
};

}  // namespace brickgate::sim

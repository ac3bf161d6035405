// SPDX-License-Identifier: Apache-2.0
#pragma once
// Randomness comes in through this door. Implementations are thread safe and never fail: a system
// whose generator fails aborts (T77).
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace brickgate {

class Random {
 public:
    virtual ~Random() = default;
    virtual void fill(std::span<std::byte> out) = 0;

    std::string bytes(std::size_t count);
    std::string token(
        std::size_t bytes = 32);  // base64url of that many bytes: 32 make 43 characters
    std::string hex(std::size_t bytes);
    std::uint64_t below(std::uint64_t bound);  // uniform in [0, bound); 0 for 0
    double unit();                             // uniform in [0, 1)
};

}  // namespace brickgate

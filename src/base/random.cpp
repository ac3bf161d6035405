// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include "base/encoding.h"

namespace brickgate {

std::string Random::bytes(std::size_t count) {
    std::string out(count, '\0');
    fill(std::as_writable_bytes(std::span(out)));
    return out;
}

std::string Random::token(std::size_t count) {
    return base64url_encode(bytes(count));
}
std::string Random::hex(std::size_t count) {
    return hex_encode(bytes(count));
}

std::uint64_t Random::below(std::uint64_t bound) {
    if (bound == 0) {
        return 0;
    }
    std::uint64_t const limit =
        UINT64_MAX - UINT64_MAX % bound;  // values above would favour small results
    for (;;) {
        std::uint64_t value = 0;
        fill(std::as_writable_bytes(std::span(&value, 1)));
        if (value < limit) {
            return value % bound;
        }
    }
}

double Random::unit() {
    return static_cast<double>(below(1ULL << 53)) / static_cast<double>(1ULL << 53);
}

}  // namespace brickgate

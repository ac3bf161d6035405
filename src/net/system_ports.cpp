// SPDX-License-Identifier: Apache-2.0
#include "net/system_ports.h"

#include <sodium.h>
#include <time.h>

#include <cstdlib>

namespace brickgate {

namespace {

Milliseconds read_clock(clockid_t id) {
    timespec now{};
    clock_gettime(id, &now);
    return Milliseconds(static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000);
}

}  // namespace

Time SystemClock::now() const {
    return Time(read_clock(CLOCK_REALTIME));
}

Instant SystemClock::steady() const {
    return Instant(read_clock(CLOCK_BOOTTIME));
}

SystemRandom::SystemRandom() {
    if (sodium_init() < 0) {
        std::abort();
    }
}

void SystemRandom::fill(std::span<std::byte> out) {
    randombytes_buf(out.data(), out.size());
}

}  // namespace brickgate

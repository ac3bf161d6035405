// SPDX-License-Identifier: Apache-2.0
#include "base/failpoint.h"

#ifdef BRICKGATE_FAILPOINTS
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

namespace brickgate {

namespace {

struct Armed {
    std::string name;
    int signal = SIGKILL;
    unsigned hit = 1;
};

Armed read_environment() {
    char const* const text = std::getenv("__brickgate_failpoint");
    if (!text) {
        return {};
    }
    std::string_view const all = text;
    auto const colon = all.find(':');
    auto const at = all.find('@');
    Armed armed;
    armed.name = all.substr(0, colon);
    if (colon != std::string_view::npos && all.substr(colon + 1, at - colon - 1) == "stop") {
        armed.signal = SIGSTOP;
    }
    if (at != std::string_view::npos) {
        armed.hit = static_cast<unsigned>(std::stoul(std::string(all.substr(at + 1))));
    }
    return armed;
}

}  // namespace

void failpoint(std::string_view name) {
    static Armed const armed = read_environment();
    static std::atomic<unsigned> hits = 0;
    if (armed.name.empty() || armed.name != name) {
        return;
    }
    if (++hits == armed.hit) {
        std::raise(armed.signal);
    }
}

}  // namespace brickgate
#endif

// SPDX-License-Identifier: Apache-2.0
#include "base/failpoint.h"

#ifdef BRICKGATE_FAILPOINTS
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

namespace brickgate {

namespace {

enum class Effect : char { kill, stop, error };

struct Armed {
    std::string name;
    Effect effect = Effect::kill;
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
    auto const word =
        colon == std::string_view::npos ? "kill" : all.substr(colon + 1, at - colon - 1);
    armed.effect = word == "stop" ? Effect::stop : word == "error" ? Effect::error : Effect::kill;
    if (at != std::string_view::npos) {
        armed.hit = static_cast<unsigned>(std::stoul(std::string(all.substr(at + 1))));
    }
    return armed;
}

Armed const& armed() {
    static Armed const read = read_environment();
    return read;
}

bool hit(std::string_view name) {
    static std::atomic<unsigned> hits = 0;
    return !armed().name.empty() && armed().name == name && ++hits == armed().hit;
}

}  // namespace

void failpoint(std::string_view name) {
    if (armed().effect != Effect::error && hit(name)) {
        std::raise(armed().effect == Effect::stop ? SIGSTOP : SIGKILL);
    }
}

bool fails_here(std::string_view name) {
    return armed().effect == Effect::error && hit(name);
}

}  // namespace brickgate
#endif

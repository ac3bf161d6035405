// SPDX-License-Identifier: Apache-2.0
#include "app/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

namespace brickgate {

void harden_process() {
    // A zero limit alone does not stop a core_pattern that pipes; not being dumpable does.
    rlimit const none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    umask(0077);
    std::signal(SIGPIPE, SIG_IGN);
}

std::size_t raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    rlimit const raised{limit.rlim_max, limit.rlim_max};
    bool const done = setrlimit(RLIMIT_NOFILE, &raised) == 0;
    return done ? limit.rlim_max : limit.rlim_cur;
}

std::size_t connections_within(std::size_t descriptors) {
    constexpr std::size_t fewest = 16;
    std::size_t const kept_back = 64 + descriptors / 20;
    std::size_t const left = descriptors > kept_back ? descriptors - kept_back : 0;
    return std::max(fewest, left / 2);
}

std::string environment_variable(char const* name) {
    char const* const value = std::getenv(name);
    return value ? value : "";
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "app/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

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

std::string environment_variable(char const* name) {
    char const* const value = std::getenv(name);
    return value ? value : "";
}

}  // namespace brickgate

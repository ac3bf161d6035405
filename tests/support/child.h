// SPDX-License-Identifier: Apache-2.0
#pragma once
// Runs one test of this very program in a process of its own, so that it can be killed at a
// failpoint or meet a limit. Such tests are named DISABLED_..., and do nothing when run by hand
// without their environment.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace brickgate::testing {

using Environment = std::vector<std::pair<std::string, std::string>>;

// The wait status.
inline int run_child(std::string const& test, Environment const& environment) {
    std::string const filter = "--gtest_filter=" + test;
    pid_t const pid = fork();
    if (pid == 0) {
        for (auto const& [name, value] : environment) {
            setenv(name.c_str(), value.c_str(), 1);
        }
        execl("/proc/self/exe", "child", filter.c_str(), "--gtest_also_run_disabled_tests",
              "--gtest_brief=1", static_cast<char*>(nullptr));
        _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return status;
}

inline bool was_killed(int status) {
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}
inline bool went_well(int status) {
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace brickgate::testing

// SPDX-License-Identifier: Apache-2.0
#pragma once
// How sign-ins ended, for the clean page that the browser is sent to afterwards: in memory, ten
// minutes, bounded. Any thread.
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

namespace brickgate {

struct LoginResult {
    std::optional<Error> error;  // none: it worked
    std::string connection;
    std::string workspace;
    std::string user_name;
    std::string display_name;
    bool session_only = false;
    bool scope_reduced = false;
    bool reconnected = false;
};

class LoginResults {
 public:
    LoginResults(Clock& clock, Random& random) : clock_(clock), random_(random) {}
    std::string keep(LoginResult result);  // its one-time id
    std::optional<LoginResult> find(std::string const& id);

 private:
    struct Kept {
        LoginResult result;
        Time at{};
    };
    Clock& clock_;
    Random& random_;
    std::mutex mutex_;
    std::unordered_map<std::string, Kept> results_;
    std::deque<std::string> order_;
};

}  // namespace brickgate

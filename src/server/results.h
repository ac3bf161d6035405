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
#include "server/sign_in_link.h"

namespace brickgate {

struct LoginResult {
    std::optional<Error> error;  // none: it worked
    SignInLink again;            // how to begin again, as far as it is this browser's to know
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
    std::size_t size() const;

 private:
    struct Kept {
        LoginResult result;
        Time at{};
    };
    Clock& clock_;
    Random& random_;
    bool is_over(std::string const& id, Time now) const;
    mutable std::mutex mutex_;
    std::unordered_map<std::string, Kept> results_;
    std::deque<std::string> order_;
};

}  // namespace brickgate

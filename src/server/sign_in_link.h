// SPDX-License-Identifier: Apache-2.0
#pragma once
// What an address that begins a sign-in says: /auth?workspace=&subject=&return_to=. Pages carry all
// of it from step to step, so that nobody loses their way back to the app. Pure.
#include <string>
#include <string_view>

#include "base/result.h"

namespace brickgate {

struct SignInLink {
    std::string workspace = {};  // as typed
    std::string subject = {};
    std::string return_to = {};

    // Parameters of other names are ignored. Errors: invalid_request.
    static Result<SignInLink> parse(std::string_view query);
    std::string query() const;  // with the question mark; empty where nothing is said
};

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the token endpoint's answer means where a service principal's secret was presented, which is
// never spent and belongs to this one connection alone. Pure.
#include "oauth/oauth_error.h"

namespace brickgate {

constexpr AnswerClass as_a_principals(AnswerClass answer) {
    switch (answer) {
        case AnswerClass::grant_dead:
        case AnswerClass::client_fault:
            return AnswerClass::refused;  // its own secret: nobody else need wait for the mend
        case AnswerClass::maybe_spent:
        case AnswerClass::protocol_error:
            return AnswerClass::not_spent;
        default:
            return answer;
    }
}

}  // namespace brickgate

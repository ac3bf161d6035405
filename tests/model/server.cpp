// SPDX-License-Identifier: Apache-2.0
#include "model/server.h"

namespace brickgate::model {

std::vector<Answer> answers(Server const& server, Mode mode, Byte token) {
    if (token == of_old_family || token < server.first_of_family) {
        return {{server, of_old_family}, {server, refused}};
    }
    bool const is_current = token == server.current;
    bool const in_grace = server.grace != 0 && token == server.previous;
    if (server.revoked != 0 || (!is_current && !in_grace)) {
        Server after = server;
        after.revoked = server.revoked != 0 || mode == Mode::revoke ? 1 : 0;
        return {{after, refused}};
    }
    Server after = server;
    if (mode != Mode::reusable) {
        after.issued += 1;
        after.previous = token;
        after.current = after.issued;
        after.grace = mode == Mode::grace ? 1 : 0;
    }
    return {{after, after.current}};
}

}  // namespace brickgate::model

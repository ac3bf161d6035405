// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the commands that hand out tokens share: which connection is meant, and the forms that its
// token is given in.
#include <string>
#include <string_view>

#include "cli/command.h"

namespace brickgate::cli {

struct ConnectionChoice {
    std::string id = {};                       // empty: the only one there is
    std::string host = {};                     // as it was typed; empty: any
    std::string how = "brickgate token <id>";  // said where there are several
};
// The row of the one connection that is meant. Errors: connection_unknown, disconnected,
// invalid_request (several, with the ids to choose from; or one of another host, whose token must
// not go there), host_denied (no host) and the gateway's.
Result<json::object> choose_connection(Admin& admin, ConnectionChoice const& choice);

// Of a token answer of the API: as `databricks auth token` prints it, to the space.
std::string token_document(json::object const& token);

// What a file holds: text (the token and a line break), json (as above) or env (DATABRICKS_HOST and
// DATABRICKS_TOKEN, a line each). Errors: internal (a token that would not survive in a line).
Result<std::string> token_file_text(json::object const& token, std::string_view format);

}  // namespace brickgate::cli

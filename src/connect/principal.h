// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who signed in, from whatever tells it: the id_token's claims, SCIM Me, or the access token
// itself. Principal::sub pins a connection to a person, so the three kinds do not mix: "scim:<id>",
// "token:<sub>", and the id_token's sub as it is. Pure.
#include <optional>
#include <string>

#include "base/http_message.h"
#include "base/json.h"
#include "databricks/workspace.h"
#include "oauth/id_token.h"
#include "vault/connection.h"

namespace brickgate {

Principal principal_of(IdTokenClaims const& claims);
// OpenID Connect Core section 3.1.3.6: an at_hash, where there is one, is that of our access token.
Result<void> check_access_token_hash(json::object const& claims, AccessToken const& token);

// `workspace_id`: Connection::workspace_id; a unified host must be told.
HttpRequest make_me_request(WorkspaceHost const& workspace, std::string const& workspace_id,
                            AccessToken const& token);
// nullopt: this answer does not tell.
std::optional<Principal> parse_me_response(HttpResponse const& response);

// Databricks' access tokens are JWTs that name their person (facts 2.6). Not verified: it came from
// the token endpoint itself, and only gives the connection its name.
std::optional<Principal> principal_hint(AccessToken const& token);

// Nobody tells: every such sign-in is somebody else, so that one person's grant never takes the
// place of another's.
Principal unknown_principal(std::string const& attempt);

}  // namespace brickgate

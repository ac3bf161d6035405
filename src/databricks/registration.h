// SPDX-License-Identifier: Apache-2.0
#pragma once
// One OAuth client of ours as it is registered with Databricks: who we are there, which hosts may
// learn our secret, which scopes we may ask for, where the person comes back to. Immutable after
// start; any thread.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "databricks/workspace.h"
#include "oauth/client_auth.h"
#include "oauth/types.h"

namespace brickgate {

struct FixedEndpoints {  // the operator's own word instead of discovery (the tutorial's /oauth2/*)
    std::string authorization_endpoint;
    std::string token_endpoint;
    std::string jwks_uri;  // may be empty: then no id_token is expected
};

struct Registration {
    RegistrationId id;
    ClientAuthentication client;
    HostAllowList hosts;                           // the secret goes to no host outside it (T12)
    std::optional<WorkspaceHost> fixed_workspace;  // DATABRICKS_HOST
    Scopes scopes;                                 // the most that is asked for (T20)
    RedirectUri redirect_uri;
    std::optional<FixedEndpoints> endpoints;  // belong to fixed_workspace only
    bool nonce_required = false;
    // openid was asked and no id_token came: refuse (T17), or ask SCIM Me who signed in.
    bool id_token_required = true;
    std::vector<std::string> allowed_networks;
    // What the account console says and no client can read; 0: unknown. They date nothing but the
    // reason that is given when a grant has ended.
    std::chrono::seconds refresh_token_life{0};  // from the issue of each refresh token
    std::chrono::seconds session_life{0};        // from the sign-in
    // Its connections are service principals', each with an id and a secret of its own; `client` is
    // nobody.
    bool service_principals = false;
};

}  // namespace brickgate

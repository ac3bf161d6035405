// SPDX-License-Identifier: Apache-2.0
#pragma once
// Signing a service principal in (databricks-facts 2.2): its secret is tried at the workspace
// first, and kept only if a token came back. From then on it is a connection like a person's: the
// same vault, refresh, proxy and metadata. A second secret is added the same way, and the first
// goes on being good until it is dropped. Lives on the control executor.
#include <functional>
#include <memory>
#include <string>

#include "base/random.h"
#include "connect/discovery.h"
#include "oauth/principal_credential.h"
#include "vault/vault.h"

namespace brickgate {

class ServicePrincipals {
 public:
    struct Parts {
        std::shared_ptr<Registration const> registration;  // the one with `service_principals`
        Vault& vault;
        HttpClient& http;
        Discovery& discovery;
        Clock& clock;
        std::function<Time(Time issued, Time expires)> refresh_due;
    };
    struct Wish {
        std::string workspace = {};
        std::string client_id = {};
        Secret client_secret = {};
        Scopes scopes = {};  // empty: all-apis
        std::string subject = {};
    };
    explicit ServicePrincipals(Parts parts) : parts_(std::move(parts)) {}

    // Errors: host_required, host_denied, invalid_request, invalid_client, invalid_scope, what
    // discovery and the transport say.
    Task<Result<Connection>> connect(Wish wish);
    // Errors: connection_unknown, invalid_request (not a service principal), as above.
    Task<Result<Connection>> add_secret(ConnectionId id, Secret client_secret);
    // The older of two goes, as it should when Databricks no longer takes it.
    Task<Result<Connection>> drop_older_secret(ConnectionId id);

 private:
    struct Held {
        Connection row;
        PrincipalCredential credential;
    };
    Task<Result<Held>> held(ConnectionId id);
    Task<Result<Connection>> prove_and_keep(Connection wanted, PrincipalCredential credential);

    Parts parts_;
};

}  // namespace brickgate

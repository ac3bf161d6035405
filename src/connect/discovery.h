// SPDX-License-Identifier: Apache-2.0
#pragma once
// What authorization servers say of themselves: metadata and signing keys per workspace, cached,
// fetched once for all who wait, served stale when the host is away. Lives on the control executor.
// Errors: discovery_failed, oauth_unsupported, metadata_endpoint_denied, metadata_invalid,
// pkce_unsupported, jwks_invalid and the transport's.

#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "databricks/registration.h"
#include "net/http_client.h"
#include "net/single_flight.h"
#include "net/task.h"
#include "oauth/jose.h"
#include "oauth/metadata.h"

namespace brickgate {

class Discovery {
 public:
    Discovery(HttpClient& http, Clock& clock);
    virtual ~Discovery();

    // The registration's fixed endpoints where it has them for this workspace, else discovery.
    virtual Task<Result<std::shared_ptr<ServerMetadata const>>> metadata(
        std::shared_ptr<Registration const> registration, WorkspaceHost workspace);
    // `kid_wanted` empty: whatever is cached. An unknown kid refetches at most once a minute per
    // address, else fails closed (T18).
    virtual Task<Result<std::shared_ptr<JwkSet const>>> keys(
        std::shared_ptr<Registration const> registration, std::string jwks_uri,
        std::string kid_wanted);

 private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace brickgate

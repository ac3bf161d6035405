// SPDX-License-Identifier: Apache-2.0
#pragma once
// POST, GET /v1/capabilities and DELETE /v1/capabilities/{id}, for keys with the right connections:
// who may end a connection may also lend it. Owned by the composition root; any thread.
#include "net/router.h"
#include "net/runtime.h"
#include "vault/api_keys.h"
#include "vault/capabilities.h"

namespace brickgate {

class CapabilitiesApi {
 public:
    struct Parts {
        ApiKeys const& keys;
        Capabilities& capabilities;
        Executor control;
    };
    explicit CapabilitiesApi(Parts parts) : parts_(std::move(parts)) {}
    void add_to(Router& router);

 private:
    Task<ServerResponse> create(ServerRequest const& request);
    Task<ServerResponse> list(ServerRequest const& request);
    Task<ServerResponse> revoke(ServerRequest const& request, PathParams params);

    Parts parts_;
};

// The wish that a body holds. Unknown members are refused: a misspelt limit would be no limit.
// Errors: invalid_request.
Result<CapabilityWish> capability_wish_of(std::string_view body);

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// Connections without a person, for programs with the right `connections`:
//   POST   /v1/service-principals {workspace, client_id, client_secret, scopes?, subject?}
//   POST   /v1/service-principals/{id}/secrets {client_secret}     a second one beside the first
//   DELETE /v1/service-principals/{id}/secrets/older
// They are listed, shown and ended as connections. A secret is never shown again.
#include <functional>

#include "connect/service_principals.h"
#include "net/router.h"
#include "vault/api_keys.h"

namespace brickgate {

class ServicePrincipalsApi {
 public:
    struct Parts {
        ApiKeys& keys;
        ServicePrincipals& principals;
        Executor control;
        std::function<void(Connection const&)> on_connected;  // caches forget what they had
    };
    explicit ServicePrincipalsApi(Parts parts) : parts_(std::move(parts)) {}
    void add_to(Router& router);

 private:
    Task<ServerResponse> connect(ServerRequest const& request);
    Task<ServerResponse> add_secret(ServerRequest const& request, PathParams params);
    Task<ServerResponse> drop_older(ServerRequest const& request, PathParams params);
    ServerResponse answer(Result<Connection> const& row, int status) const;

    Parts parts_;
};

}  // namespace brickgate

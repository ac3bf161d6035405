// SPDX-License-Identifier: Apache-2.0
#pragma once
// The two ways to a workspace's API. With an API key that has the right `proxy`, or a capability of
// that very connection:
//   ANY /v1/connections/{id}/proxy/{path}
// and transparently, where the bearer is a capability and says which connection is meant:
//   ANY /api/...  /sql/...  /serving-endpoints/...
// Never on a public listener. Any session's thread.
#include <optional>
#include <string>

#include "proxy/proxy.h"
#include "server/door.h"
#include "server/settings.h"
#include "server/streams.h"
#include "vault/api_keys.h"
#include "vault/capabilities.h"

namespace brickgate {

class ProxyRoutes {
 public:
    struct Parts {
        ServerSettings const& settings;
        ApiKeys& keys;
        Capabilities& capabilities;
        Door& door;
        Proxy& proxy;
    };
    explicit ProxyRoutes(Parts parts) : parts_(parts) {}
    void add_to(Streams& streams);

 private:
    struct Way {
        // Into the request.
        std::string_view connection;  // empty: the capability's
        std::string_view target;      // below our own prefix
    };
    std::optional<Way> way_of(ServerRequest const& request) const;
    Result<ConnectionId> authorize_call(ServerRequest const& request, Way const& way) const;
    Task<void> handle(Exchange& exchange);

    Parts parts_;
};

}  // namespace brickgate

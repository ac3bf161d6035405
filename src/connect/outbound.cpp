// SPDX-License-Identifier: Apache-2.0
#include "connect/outbound.h"

#include "databricks/endpoints.h"
#include "oauth/metadata.h"

namespace brickgate {

HttpLimits limits_for(Registration const& registration, std::string_view url) {
    HttpLimits limits;
    auto const host = registration.hosts.admit(origin_of(url));
    bool const named = is_configured_endpoint(registration, url) ||
                       (host && is_named_by_operator(registration.hosts, host->origin()));
    limits.egress.operator_listed = named && !is_databricks_suffix(host_of(url));
    limits.egress.allowed_networks = registration.allowed_networks;
    return limits;
}

bool is_configured_endpoint(Registration const& registration, std::string_view url) {
    auto const& fixed = registration.endpoints;
    return fixed && !url.empty() &&
           (url == fixed->authorization_endpoint || url == fixed->token_endpoint ||
            url == fixed->jwks_uri);
}

}  // namespace brickgate

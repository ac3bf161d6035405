// SPDX-License-Identifier: Apache-2.0
#include "databricks/endpoints.h"

namespace brickgate {

std::string discovery_url(WorkspaceHost const& host) {
    return host.origin() + "/oidc/.well-known/oauth-authorization-server";
}

MetadataPolicy metadata_policy(WorkspaceHost const& host) {
    MetadataPolicy policy;
    policy.issuer_expected = Issuer(host.origin() + "/oidc");
    policy.plain_http = host.plain_http();
    if (host.kind() == HostKind::operator_listed) {
        return policy;
    }
    policy.jwks_host_allowed = [](std::string_view name) { return is_databricks_suffix(name); };
    if (host.kind() == HostKind::unified) {
        // On unified hosts the issuer may sit on another host (facts 1.3); it must still be
        // Databricks'.
        policy.other_issuer_allowed = [](std::string_view issuer) {
            return databricks_host_kind(host_of(issuer)).has_value();
        };
    }
    return policy;
}

std::string scim_me_url(WorkspaceHost const& host) {
    return host.origin() + "/api/2.0/preview/scim/v2/Me";
}

}  // namespace brickgate

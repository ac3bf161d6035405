// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where things are on a Databricks host: discovery of workspaces, accounts and unified hosts, what
// a host says of itself at /.well-known/databricks-config, SCIM. Pure.
#include <optional>
#include <string>
#include <string_view>

#include "databricks/workspace.h"
#include "oauth/metadata.h"

namespace brickgate {

std::string discovery_url(WorkspaceHost const& host);
MetadataPolicy metadata_policy(WorkspaceHost const& host);
std::string scim_me_url(WorkspaceHost const& host);

// RFC 8414 with the path where Databricks puts it: appended to the issuer, not inserted (B93).
std::string discovery_url(Issuer const& issuer);
// The endpoints by their published template, <issuer>/v1/authorize and /v1/token (T13).
ServerMetadata template_endpoints(Issuer issuer);
// The OAuth root of one account; nullopt: that is not an account's id (a UUID).
std::optional<Issuer> account_issuer(WorkspaceHost const& host, std::string_view account_id);

// What a host says of itself. Everything may be absent; what is malformed or points to a host that
// is not Databricks' own counts as absent, since not knowing is no fault.
struct HostConfig {
    std::optional<Issuer> issuer;  // where its OAuth root is
    std::string account_id;
    std::string workspace_id;
    std::string host_type;  // workspace, account or unified
};
std::string host_config_url(WorkspaceHost const& host);
// Errors: discovery_failed, metadata_invalid.
Result<HostConfig> parse_host_config(HttpResponse const& response, WorkspaceHost const& host);

// Whether the operator wrote down this very origin: one below a suffix is listed too, but nobody
// looked at where its name leads (T28).
bool is_named_by_operator(HostAllowList const& hosts, std::string_view origin);

}  // namespace brickgate

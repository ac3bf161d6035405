// SPDX-License-Identifier: Apache-2.0
#include "databricks/endpoints.h"

#include <algorithm>

#include "base/json.h"

namespace brickgate {

namespace {

constexpr std::string_view account_placeholder = "{account_id}";

bool is_uuid(std::string_view text) {
    if (text.size() != 36) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        bool const dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool const hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (dash ? text[i] != '-' : !hex) {
            return false;
        }
    }
    return true;
}

bool is_number(std::string_view text) {
    return !text.empty() && text.size() <= 20 &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// The host itself, or Databricks' own by name: https, no port, nothing but a path after it.
bool may_be_issuer(std::string_view root, WorkspaceHost const& host) {
    bool const plain_path =
        root.find_first_of("?#@%\\{}") == std::string_view::npos && !root.ends_with('/');
    auto const origin = origin_of(root);
    bool const own = origin == host.origin();
    bool const databricks = host.kind() != HostKind::operator_listed &&
                            databricks_host_kind(host_of(root)).has_value() &&
                            origin == "https://" + host_of(root);
    return plain_path && (own || databricks);
}

}  // namespace

std::string discovery_url(Issuer const& issuer) {
    return issuer.value() + "/.well-known/oauth-authorization-server";
}

std::string discovery_url(WorkspaceHost const& host) {
    return discovery_url(Issuer(host.origin() + "/oidc"));
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
            auto const host = host_of(issuer);
            return databricks_host_kind(host).has_value() && origin_of(issuer) == "https://" + host;
        };
    }
    return policy;
}

std::string scim_me_url(WorkspaceHost const& host) {
    return host.origin() + "/api/2.0/preview/scim/v2/Me";
}

ServerMetadata template_endpoints(Issuer issuer) {
    ServerMetadata server;
    server.authorization_endpoint = issuer.value() + "/v1/authorize";
    server.token_endpoint = issuer.value() + "/v1/token";
    server.issuer = std::move(issuer);
    return server;
}

std::optional<Issuer> account_issuer(WorkspaceHost const& host, std::string_view account_id) {
    if (!is_uuid(account_id)) {
        return std::nullopt;
    }
    return Issuer(host.origin() + "/oidc/accounts/" + std::string(account_id));
}

std::string host_config_url(WorkspaceHost const& host) {
    return host.origin() + "/.well-known/databricks-config";
}

Result<HostConfig> parse_host_config(HttpResponse const& response, WorkspaceHost const& host) {
    if (response.status != 200) {
        return fail(ErrorCode::discovery_failed, "The host does not say what it is: status " +
                                                     std::to_string(response.status) + ".");
    }
    return response.body.expose([&](std::string_view text) -> Result<HostConfig> {
        auto const parsed = parse_json(text);
        if (!parsed || !parsed->is_object()) {
            return fail(ErrorCode::metadata_invalid,
                        "What the host says of itself is not a JSON object.");
        }
        auto const& document = parsed->get_object();
        HostConfig config;
        if (auto const id = string_at(document, "account_id"); id && is_uuid(*id)) {
            config.account_id = *id;
        }
        if (auto const id = string_at(document, "workspace_id"); id && is_number(*id)) {
            config.workspace_id = *id;
        }
        auto const type = string_at(document, "host_type").value_or("");
        if (type == "workspace" || type == "account" || type == "unified") {
            config.host_type = type;
        }
        std::string root(string_at(document, "oidc_endpoint").value_or(""));
        if (auto const at = root.find(account_placeholder);
            at != std::string::npos && !config.account_id.empty()) {
            root.replace(at, account_placeholder.size(), config.account_id);
        }
        if (may_be_issuer(root, host)) {
            config.issuer = Issuer(std::move(root));
        }
        return config;
    });
}

bool is_named_by_operator(HostAllowList const& hosts, std::string_view origin) {
    return std::ranges::find(hosts.exact_origins(), origin) != hosts.exact_origins().end();
}

}  // namespace brickgate

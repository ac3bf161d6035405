// SPDX-License-Identifier: Apache-2.0
#include "app/from_config.h"

#include "app/validate_config.h"
#include "base/encoding.h"
#include "oauth/metadata.h"

namespace brickgate {

namespace {

// T54: what browsers and programs may call us. Processes of this machine come by loopback, unless
// every listener has one address of its own.
HostNames host_names_of(Config const& config) {
    auto const& server = config.server;
    HostNames ours;
    ours.names = {host_of(server.public_url), host_of(config.databricks.redirect_uri)};
    for (auto const& name : server.names) {
        ours.names.push_back(HostAndPort::parse(name).name);
    }
    bool const apart = !listens_on_loopback(server.listen) && server.private_listen.empty();
    for (auto const& address :
         {server.listen, server.private_listen, std::string(apart ? "127.0.0.1:0" : "")}) {
        auto const host = HostAndPort::parse(address).name;
        bool const every = host == "0.0.0.0" || host == "[::]";
        ours.any_address = ours.any_address || every;
        if (every || is_loopback_name(host)) {
            ours.names.insert(ours.names.end(), {"localhost", "127.0.0.1", "[::1]"});
        } else {
            ours.names.push_back(host);
        }
    }
    std::erase(ours.names, "");
    return ours;
}

}  // namespace

std::shared_ptr<Registration const> make_registration(Config const& config) {
    auto const& databricks = config.databricks;
    auto registration = std::make_shared<Registration>();
    std::string const seed = "registration|" + databricks.client_id;
    registration->id = RegistrationId("reg_" + hex_encode(sha256(seed).substr(0, 16)));
    registration->client.client_id = ClientId(databricks.client_id);
    registration->client.client_secret = databricks.client_secret.clone();
    using Method = ClientAuthentication::Method;
    registration->client.method = databricks.client_secret.empty() ? Method::none
                                  : databricks.client_authentication == "client_secret_post"
                                      ? Method::client_secret_post
                                      : Method::client_secret_basic;
    if (!databricks.host.empty()) {
        auto const origin = TypedHost::parse(databricks.host)->origin();
        (void)registration->hosts.add(origin);
        if (auto host = registration->hosts.admit(databricks.host)) {
            registration->fixed_workspace = std::move(*host);
        }
    }
    for (auto const& host : databricks.hosts) {
        (void)registration->hosts.add(host);
    }
    std::string scopes;
    for (auto const& scope : databricks.scopes) {
        scopes += scope + " ";
    }
    registration->scopes = Scopes::parse(scopes).value_or(Scopes());
    registration->redirect_uri = RedirectUri(databricks.redirect_uri);
    if (!databricks.token_endpoint.empty()) {
        registration->endpoints = FixedEndpoints{databricks.authorization_endpoint,
                                                 databricks.token_endpoint, databricks.jwks_uri};
    }
    registration->nonce_required = databricks.nonce_required;
    registration->allowed_networks = databricks.allowed_networks;
    registration->refresh_token_life = databricks.refresh_token_life;
    registration->session_life = databricks.session_life;
    return registration;
}

std::shared_ptr<Registration const> make_terminal_registration(Config const& config) {
    auto registration = std::make_shared<Registration>();
    registration->id = RegistrationId(
        "reg_" + hex_encode(sha256("registration|databricks-cli|public").substr(0, 16)));
    registration->client.client_id = ClientId("databricks-cli");
    registration->hosts.add_databricks();
    if (!config.databricks.host.empty()) {
        (void)registration->hosts.add(TypedHost::parse(config.databricks.host)->origin());
    }
    for (auto const& host : config.databricks.hosts) {
        (void)registration->hosts.add(host);
    }
    registration->scopes = Scopes{"all-apis", "offline_access"};
    registration->redirect_uri = RedirectUri("http://localhost:8020");
    registration->allowed_networks = config.databricks.allowed_networks;
    return registration;
}

std::shared_ptr<Registration const> make_principals_registration(Config const& config) {
    auto registration = std::make_shared<Registration>();
    registration->id = RegistrationId(
        "reg_" + hex_encode(sha256("registration|service principals").substr(0, 16)));
    registration->service_principals = true;
    registration->hosts.add_databricks();
    if (!config.databricks.host.empty()) {
        (void)registration->hosts.add(TypedHost::parse(config.databricks.host)->origin());
    }
    for (auto const& host : config.databricks.hosts) {
        (void)registration->hosts.add(host);
    }
    registration->scopes = Scopes{"all-apis"};
    registration->allowed_networks = config.databricks.allowed_networks;
    return registration;
}

ServerSettings make_server_settings(Config const& config, Registration const& registration) {
    ServerSettings settings;
    settings.app_name = config.app.name;
    settings.public_url = config.server.public_url;
    settings.base_path = path_of(config.server.public_url);
    std::string path = path_of(config.databricks.redirect_uri);
    if (!settings.base_path.empty() && path.starts_with(settings.base_path + "/")) {
        path.erase(0, settings.base_path.size());
    }
    settings.callback_path = path;
    settings.host_names = host_names_of(config);
    settings.plain_cookies = config.server.public_url.starts_with("http://");
    settings.has_app = !config.databricks.client_id.empty();
    settings.workspace_fixed = registration.fixed_workspace.has_value();
    settings.form_targets =
        "https://*.cloud.databricks.com https://*.cloud.databricks.us "
        "https://*.azuredatabricks.net "
        "https://*.databricks.azure.us https://*.databricks.azure.cn https://*.gcp.databricks.com "
        "https://*.databricks.com";
    for (auto const& origin : registration.hosts.exact_origins()) {
        settings.form_targets += " " + origin;
    }
    return settings;
}

std::vector<std::string> own_endpoints(Config::Server const& server) {
    std::vector<std::string> out;
    for (auto const& address : {server.listen, server.private_listen}) {
        std::string const port = port_of(address);
        if (!address.empty() && !address.starts_with("unix:") && port != "0") {
            out.insert(out.end(), {"127.0.0.1:" + port, "[::1]:" + port, address});
        }
    }
    return out;
}

RefreshPolicy policy_of(Config const& config) {
    RefreshPolicy policy;
    policy.lead_max = config.refresh.lead_max;
    policy.serve_margin = config.refresh.serve_margin;
    policy.uncertain_wait = config.refresh.uncertain_wait;
    policy.uncertain_retry_late = config.refresh.uncertain_retry == "late";
    return policy;
}

}  // namespace brickgate

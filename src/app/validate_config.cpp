// SPDX-License-Identifier: Apache-2.0
#include "app/validate_config.h"

#include <algorithm>
#include <filesystem>

#include "base/encoding.h"
#include "net/address_guard.h"
#include "oauth/metadata.h"
#include "vault/record.h"

namespace brickgate {

namespace {

struct Url {
    std::string scheme, host, path;
};

std::optional<Url> parse_url(std::string const& text) {
    std::string const origin = origin_of(text);
    if (origin.empty()) {
        return std::nullopt;
    }
    auto const after = text.find_first_of("/?#", text.find("://") + 3);
    Url url{origin.substr(0, origin.find("://")), host_of(text),
            after == std::string::npos ? "" : text.substr(after)};
    return url;
}

bool is_loopback_name(std::string_view host) {
    return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

std::string port_of(std::string_view address) {
    auto const colon = address.rfind(':');
    return colon == std::string_view::npos ? std::string() : std::string(address.substr(colon + 1));
}

bool is_listen_address(std::string_view address) {
    auto const port = port_of(address);
    bool const digits = !port.empty() && port.size() <= 5 &&
                        port.find_first_not_of("0123456789") == std::string::npos;
    return digits && std::stoi(port) <= 65535 && address.size() > port.size() + 1;
}

// https, or http where it stays on this machine; `what` is the setting's name.
void check_url(std::string const& what, std::string const& text, std::vector<std::string>& errors) {
    auto const url = parse_url(text);
    if (!url) {
        errors.push_back(what + " is not a complete address such as https://gate.example.com");
    } else if (url->scheme != "https" && !(url->scheme == "http" && is_loopback_name(url->host))) {
        errors.push_back(what + " must be https (http is for localhost only)");
    } else if (text.find_first_of("#@ \\") != std::string::npos) {
        errors.push_back(what + " must have no fragment, user name or space");
    }
}

void check_server(LoadedConfig& loaded, std::vector<std::string>& errors) {
    auto& server = loaded.config.server;
    if (!is_listen_address(server.listen)) {
        errors.push_back("server.listen must be an address and a port, such as 127.0.0.1:3000");
    }
    if (!server.private_listen.empty() && !is_listen_address(server.private_listen)) {
        errors.push_back(
            "server.private_listen must be an address and a port, such as 127.0.0.1:3001");
    }
    if (!server.private_listen.empty() && server.private_listen == server.listen) {
        errors.push_back("server.private_listen must differ from server.listen");
    }
    for (auto const& proxy : server.trusted_proxies) {
        if (!Network::parse(proxy)) {
            errors.push_back("server.trusted_proxies: " + proxy + " is not an address or network");
        }
    }
    if (server.public_url.empty()) {
        if (listens_on_loopback(server.listen)) {
            server.public_url = "http://localhost:" + port_of(server.listen);
        } else {
            errors.push_back(
                "server.public_url is needed where server.listen is not a loopback address: what "
                "do browsers see?");
        }
    }
    while (server.public_url.ends_with('/')) {
        server.public_url.pop_back();
    }
    if (!server.public_url.empty()) {
        check_url("server.public_url", server.public_url, errors);
    }
    if (server.public_url.find('?') != std::string::npos) {
        errors.push_back("server.public_url must have no query");
    }
}

void check_endpoints(Config const& config, std::vector<std::string>& errors) {
    auto const& databricks = config.databricks;
    bool const one = databricks.authorization_endpoint.empty() != databricks.token_endpoint.empty();
    if (one) {
        errors.push_back(
            "databricks.authorization_endpoint and databricks.token_endpoint go together");
    }
    if (!databricks.jwks_uri.empty() && databricks.token_endpoint.empty()) {
        errors.push_back(
            "databricks.jwks_uri goes with databricks.authorization_endpoint and "
            "databricks.token_endpoint");
    }
    if (databricks.token_endpoint.empty()) {
        return;
    }
    if (databricks.host.empty()) {
        errors.push_back("databricks.host is needed where endpoints are given");
    }
    check_url("databricks.authorization_endpoint", databricks.authorization_endpoint, errors);
    check_url("databricks.token_endpoint", databricks.token_endpoint, errors);
    if (!databricks.jwks_uri.empty()) {
        check_url("databricks.jwks_uri", databricks.jwks_uri, errors);
    }
}

void check_databricks(LoadedConfig& loaded, std::vector<std::string>& errors) {
    auto& databricks = loaded.config.databricks;
    HostAllowList list;
    for (auto const& host : databricks.hosts) {
        if (auto const added = list.add(host); !added) {
            errors.push_back("databricks.hosts: " + added.error().message());
        }
    }
    if (!databricks.host.empty()) {
        auto const typed = TypedHost::parse(databricks.host);
        if (!typed) {
            errors.push_back("DATABRICKS_HOST: " + typed.error().message());
        } else if (auto const added = list.add(typed->origin()); !added) {
            errors.push_back("DATABRICKS_HOST: " + added.error().message());
        } else if (typed->scheme == "http") {
            loaded.warnings.push_back(
                "DATABRICKS_HOST is plain http, which is accepted for loopback addresses only");
        }
    }
    if (!databricks.client_secret.empty() && databricks.client_id.empty()) {
        errors.push_back("CLIENT_SECRET is set, but CLIENT_ID is not");
    }
    bool const asks_secret = databricks.client_authentication.starts_with("client_secret");
    if (asks_secret && databricks.client_secret.empty()) {
        errors.push_back(
            "databricks.client_authentication asks for a secret, but CLIENT_SECRET is not set");
    }
    if (databricks.client_authentication == "none" && !databricks.client_secret.empty()) {
        errors.push_back("databricks.client_authentication is none, but CLIENT_SECRET is set");
    }
    if (databricks.scopes.empty()) {
        errors.push_back("databricks.scopes must name at least one scope");
    }
    for (auto const& scope : databricks.scopes) {
        if (!Scopes::parse(scope)) {
            errors.push_back("databricks.scopes: '" + clean_text(scope, 40) + "' is not a scope");
        }
    }
    for (auto const& network : databricks.allowed_networks) {
        if (!Network::parse(network)) {
            errors.push_back("databricks.allowed_networks: '" + clean_text(network, 60) +
                             "' is not a network such as 10.1.0.0/16");
        }
    }
    if (databricks.redirect_uri.empty()) {
        databricks.redirect_uri = loaded.config.server.public_url + "/callback";
    }
    auto const before = errors.size();
    check_url("REDIRECT_URI", databricks.redirect_uri, errors);
    auto const url = errors.size() == before ? parse_url(databricks.redirect_uri) : std::nullopt;
    if (url &&
        (url->path.empty() || url->path == "/" || url->path.find('?') != std::string::npos)) {
        errors.push_back("REDIRECT_URI needs a path, such as /callback, and no query");
    }
    check_endpoints(loaded.config, errors);
}

}  // namespace

bool listens_on_loopback(std::string_view address) {
    auto const host = address.substr(0, address.rfind(':'));
    return is_loopback_name(host) || host == "::1" || host.starts_with("127.");
}

void validate_config(LoadedConfig& loaded, std::vector<std::string>& errors) {
    check_server(loaded, errors);
    check_databricks(loaded, errors);
    auto const& config = loaded.config;
    for (auto const& url : config.app.return_to) {
        check_url("app.return_to", url, errors);
    }
    if (clean_text(config.app.name) != config.app.name || config.app.name.empty() ||
        config.app.name.size() > 60) {
        errors.push_back("app.name must be 1 to 60 bytes of printable text");
    }
    if (!config.tls.ca_file.empty() && !std::filesystem::exists(config.tls.ca_file)) {
        errors.push_back("tls.ca_file: there is no file " + config.tls.ca_file);
    }
    if (!config.tls.proxy.empty() && !config.tls.proxy.starts_with("http://")) {
        errors.push_back("tls.proxy must be an address such as http://proxy.corp.example:3128");
    }
    if (!config.data.root_key.empty()) {
        loaded.warnings.push_back(
            "the root key comes from the environment; a file with mode 0400 is better");
    }
}

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

ServerSettings make_server_settings(Config const& config, Registration const& registration) {
    ServerSettings settings;
    settings.app_name = config.app.name;
    settings.public_url = config.server.public_url;
    settings.base_path = parse_url(config.server.public_url)->path;
    std::string path = parse_url(config.databricks.redirect_uri)->path;
    if (!settings.base_path.empty() && path.starts_with(settings.base_path + "/")) {
        path.erase(0, settings.base_path.size());
    }
    settings.callback_path = path;
    settings.plain_cookies = config.server.public_url.starts_with("http://");
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

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "app/validate_config.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "app/root_source.h"
#include "app/settings_table.h"
#include "base/encoding.h"
#include "databricks/workspace.h"
#include "net/address_guard.h"
#include "oauth/metadata.h"
#include "oauth/types.h"
#include "server/host_guard.h"

namespace brickgate {

namespace {

// Paths of our own below the base path, none of which a callback may have.
constexpr std::array<std::string_view, 10> own_paths{
    "/",        "/auth", "/favicon.ico", "/healthz", "/readyz",
    "/metrics", "/v1/",  "/connect/",    "/assets/", "/openapi.yaml"};

bool is_plain_path(std::string_view path) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    return path.find_first_not_of(plain) == std::string_view::npos &&
           path.find("//") == std::string_view::npos && path.find("/.") == std::string_view::npos;
}

class Validator {
 public:
    Validator(LoadedConfig& loaded, std::vector<std::string>& errors)
        : loaded_(loaded), config_(loaded.config), errors_(errors) {}

    void run() {
        check_server();
        check_tls();
        follow_public_url();
        check_hosts();
        check_client();
        check_scopes();
        check_networks();
        check_redirect_uri();
        warn_of_redirect_port();
        check_endpoints();
        check_rest();
    }

 private:
    void complain(std::string const& setting, std::string const& what) {
        errors_.push_back(setting + " (" + loaded_.source[setting] + "): " + what);
    }
    void warn(std::string warning) { loaded_.warnings.push_back(std::move(warning)); }

    // https, or http where it stays on this machine.
    bool check_url(std::string const& setting, std::string const& url) {
        std::string const origin = origin_of(url);
        if (url.find_first_of("#@") != std::string::npos) {
            complain(setting, "must have no fragment and no user name");
        } else if (origin.empty() || url.find_first_of(" \\\t\n") != std::string::npos) {
            complain(setting, "must be a complete address, such as https://gate.example.com");
        } else if (origin.starts_with("http://") && !is_loopback_name(host_of(url))) {
            complain(setting, "must be https; http is for localhost only");
        } else if (!origin.starts_with("https://") && !origin.starts_with("http://")) {
            complain(setting, "must be https");
        } else {
            return true;
        }
        return false;
    }

    void check_server();
    void check_tls();
    void follow_public_url();
    void check_hosts();
    void check_client();
    void check_scopes();
    void check_networks();
    void check_redirect_uri();
    void warn_of_redirect_port();
    void check_endpoints();
    void check_rest();

    LoadedConfig& loaded_;
    Config& config_;
    std::vector<std::string>& errors_;
    HostAllowList hosts_;
    bool listen_is_good_ = false;
};

void Validator::check_server() {
    auto const& server = config_.server;
    listen_is_good_ = is_listen_address(server.listen);
    if (!listen_is_good_) {
        complain("server.listen", "must be an address and a port, such as 127.0.0.1:3000");
    } else if (port_of(server.listen) == "0" && server.public_url.empty() &&
               config_.databricks.redirect_uri.empty()) {
        complain("server.listen",
                 "port 0 takes any free port; then server.public_url must say what browsers see");
    }
    bool const socket = server.private_listen.starts_with("unix:/");
    if (!server.private_listen.empty() && !socket && !is_listen_address(server.private_listen)) {
        complain("server.private_listen",
                 "must be an address and a port, such as 127.0.0.1:3001, or unix:/path");
    } else if (!server.private_listen.empty() && server.private_listen == server.listen &&
               port_of(server.listen) != "0") {
        complain("server.private_listen", "must differ from server.listen");
    }
    for (auto const& name : server.names) {
        auto const parsed = HostAndPort::parse(name);
        if (parsed.name.empty() || !parsed.port.empty()) {
            complain("server.names", "'" + clean_text(name, 60) +
                                         "' is not a host's name; ports and schemes are left out");
        }
    }
    for (auto const& proxy : server.trusted_proxies) {
        if (!Network::parse(proxy)) {
            complain("server.trusted_proxies",
                     "'" + clean_text(proxy, 60) + "' is not an address or a network");
        }
    }
}

// Tokens leave through these listeners, so plain HTTP stays on this machine.
void Validator::check_tls() {
    auto const& tls = config_.tls;
    if (tls.cert_file.empty() != tls.key_file.empty()) {
        complain(tls.cert_file.empty() ? "tls.cert_file" : "tls.key_file",
                 "is needed: a certificate and its key go together");
    }
    if (!tls.cert_file.empty() && tls.terminated_upstream) {
        complain("tls.terminated_upstream", "and tls.cert_file exclude each other");
    }
    bool const plain = tls.cert_file.empty() && !tls.terminated_upstream;
    for (auto const& [name, address] : {std::pair("server.listen", config_.server.listen),
                                        {"server.private_listen", config_.server.private_listen}}) {
        bool const far = is_listen_address(address) && !listens_on_loopback(address);
        if (plain && far) {
            complain(name,
                     "would speak plain HTTP to other machines: set tls.cert_file and "
                     "tls.key_file, or tls.terminated_upstream where an ingress speaks TLS");
        }
    }
}

// Without a word of its own it is where people come back to, else this machine.
void Validator::follow_public_url() {
    auto& url = config_.server.public_url;
    bool const given = !url.empty();
    if (!given && !config_.databricks.redirect_uri.empty()) {
        url = origin_of(config_.databricks.redirect_uri);
        return;  // what is wrong with it is said of the redirect URI
    }
    if (!given && !listen_is_good_) {
        return;
    }
    if (!given && !listens_on_loopback(config_.server.listen)) {
        complain("server.public_url",
                 "is needed, since server.listen is not a loopback address: what do browsers see?");
        return;
    }
    if (!given) {
        url = (config_.tls.cert_file.empty() ? "http" : "https") + std::string("://localhost:") +
              port_of(config_.server.listen);
        return;
    }
    while (url.ends_with('/')) {
        url.pop_back();
    }
    bool const plain = is_plain_path(path_of(url)) && url.find('?') == std::string::npos;
    if (check_url("server.public_url", url) && !plain) {
        complain("server.public_url", "must have a plain path and no query");
    }
}

void Validator::check_hosts() {
    auto const& databricks = config_.databricks;
    auto const plain_http = [&](std::string const& setting, std::string const& origin) {
        if (origin.starts_with("http://")) {
            warn(setting + " " + origin +
                 " is plain http, which is accepted for loopback addresses only");
        }
    };
    if (!databricks.host.empty()) {
        auto const typed = TypedHost::parse(databricks.host);
        if (!typed) {
            complain("databricks.host", typed.error().message());
        } else if (auto const added = hosts_.add(typed->origin()); !added) {
            complain("databricks.host", added.error().message());
        } else {
            plain_http("DATABRICKS_HOST", typed->origin());
        }
    }
    for (auto const& host : databricks.hosts) {
        auto const added = hosts_.add(host);
        if (!added) {
            complain("databricks.hosts", added.error().message());
        } else {
            plain_http("databricks.hosts", host);
        }
    }
}

void Validator::check_client() {
    auto const& databricks = config_.databricks;
    bool const secret = !databricks.client_secret.empty();
    auto const& method = databricks.client_authentication;
    if (secret && databricks.client_id.empty()) {
        complain("databricks.client_secret", "is set, but CLIENT_ID is not");
    }
    if (databricks.client_id.find_first_of(" \t<>\"") != std::string::npos) {
        complain("databricks.client_id",
                 "is no client id: copy it from the account console, App connections");
    }
    if (method.starts_with("client_secret") && !secret) {
        complain("databricks.client_authentication", "asks for CLIENT_SECRET, which is not set");
    }
    if (!databricks.client_id.empty() && serves_no_workspace(config_)) {
        warn(
            "neither DATABRICKS_HOST nor databricks.hosts is set: there is no workspace that "
            "anybody could sign in to with this app");
    }
    if (method == "none" && secret) {
        complain("databricks.client_authentication", "is none, but CLIENT_SECRET is set");
    }
}

void Validator::check_scopes() {
    auto const& scopes = config_.databricks.scopes;
    if (scopes.empty()) {
        complain("databricks.scopes", "must name at least one scope");
    }
    for (auto const& scope : scopes) {
        if (!Scopes::parse(scope)) {
            complain("databricks.scopes", "'" + clean_text(scope, 40) + "' is not a scope");
        }
    }
    if (!scopes.empty() && std::ranges::find(scopes, "offline_access") == scopes.end()) {
        warn(
            "databricks.scopes lacks offline_access: nobody gets a refresh token, and each "
            "connection ends with its first token");
    }
}

void Validator::check_networks() {
    for (auto const& network : config_.databricks.allowed_networks) {
        if (!Network::parse(network)) {
            complain("databricks.allowed_networks",
                     "'" + clean_text(network, 60) + "' is not a network such as 10.1.0.0/16");
        }
    }
}

void Validator::check_redirect_uri() {
    std::string const setting = "databricks.redirect_uri";
    auto& redirect = config_.databricks.redirect_uri;
    auto const& public_url = config_.server.public_url;
    if (redirect.empty()) {
        redirect = public_url.empty() ? "" : public_url + "/callback";
        return;
    }
    if (!check_url(setting, redirect)) {
        return;
    }
    std::string path = path_of(redirect);
    if (path.empty() || path == "/" || !is_plain_path(path)) {
        complain(setting, "needs a plain path, such as /callback, and no query");
        return;
    }
    // The browser sends its cookie to the host and scheme that it had it from.
    bool const same = host_of(redirect) == host_of(public_url) &&
                      redirect.starts_with("https:") == public_url.starts_with("https:");
    if (!origin_of(public_url).empty() && !same) {
        complain(setting, "is on another host than server.public_url " + public_url +
                              ", so that the browser's cookie would not come along");
        return;
    }
    std::string const base = path_of(public_url);
    if (!path.starts_with(base + "/")) {
        complain(setting, "must be below server.public_url " + public_url);
        return;
    }
    path.erase(0, base.size());
    bool const taken = std::ranges::any_of(own_paths, [&](auto own) {
        return path == own || (own.size() > 1 && own.ends_with('/') && path.starts_with(own));
    });
    if (taken) {
        complain(setting, "has a path that the gateway uses itself; take /callback");
    }
}

void Validator::warn_of_redirect_port() {
    auto const port = redirect_port_mismatch(config_);
    if (port) {
        warn("REDIRECT_URI " + config_.databricks.redirect_uri + " leads to port " + *port +
             " of this machine, but " + config_.server.listen +
             " is listened to: unless something forwards that port, nobody comes back from a "
             "sign-in");
    }
}

void Validator::check_endpoints() {
    auto const& databricks = config_.databricks;
    bool const authorize = !databricks.authorization_endpoint.empty();
    bool const token = !databricks.token_endpoint.empty();
    if (authorize != token) {
        complain(authorize ? "databricks.authorization_endpoint" : "databricks.token_endpoint",
                 "databricks.authorization_endpoint and databricks.token_endpoint go together");
    }
    if (!databricks.jwks_uri.empty() && !token) {
        complain("databricks.jwks_uri",
                 "goes with databricks.authorization_endpoint and databricks.token_endpoint");
    }
    if (authorize && databricks.host.empty()) {
        complain("databricks.authorization_endpoint", "needs DATABRICKS_HOST to be set as well");
    }
    auto const check = [&](std::string const& setting, std::string const& url) {
        // The secret goes to listed hosts only (T12).
        if (!url.empty() && check_url(setting, url) && !hosts_.admit(origin_of(url))) {
            complain(setting,
                     "is on a host that is neither DATABRICKS_HOST nor listed under "
                     "databricks.hosts");
        }
    };
    check("databricks.authorization_endpoint", databricks.authorization_endpoint);
    check("databricks.token_endpoint", databricks.token_endpoint);
    check("databricks.jwks_uri", databricks.jwks_uri);
}

void Validator::check_rest() {
    for (auto const& url : config_.app.return_to) {
        check_url("app.return_to", url);
    }
    auto const& name = config_.app.name;
    if (clean_text(name) != name || name.empty() || name.size() > 60) {
        complain("app.name", "must be 1 to 60 bytes of printable text");
    }
    std::error_code ec;
    if (!config_.tls.ca_file.empty() &&
        !std::filesystem::is_regular_file(config_.tls.ca_file, ec)) {
        complain("tls.ca_file", "there is no file " + config_.tls.ca_file);
    }
    if (!config_.tls.proxy.empty() && !config_.tls.proxy.starts_with("http://")) {
        complain("tls.proxy", "must be an address such as http://proxy.corp.example:3128");
    }
    if (config_.refresh.serve_margin > config_.refresh.lead_max) {
        complain("refresh.serve_margin", "must not be longer than refresh.lead_max");
    }
    for (auto const& [setting, why] : root_key_complaints(config_)) {
        complain(setting, why);
    }
    if (config_.data.root_key.empty()) {
        return;
    }
    warn("the root key comes from data.root_key (" + loaded_.source["data.root_key"] +
         "); a file with mode 0400 is better");
}

}  // namespace

bool serves_no_workspace(Config const& config) {
    return config.databricks.host.empty() && config.databricks.hosts.empty();
}

std::optional<std::string> redirect_port_mismatch(Config const& config) {
    auto const& redirect = config.databricks.redirect_uri;
    auto const listening = port_of(config.server.listen);
    if (!is_loopback_name(host_of(redirect)) || listening.empty() || listening == "0") {
        return std::nullopt;
    }
    auto const after_host = origin_of(redirect).substr(redirect.find("://") + 3);
    auto const port = HostAndPort::parse(after_host).port;
    std::string const leads_to = !port.empty()                    ? port
                                 : redirect.starts_with("https:") ? "443"
                                                                  : "80";
    return leads_to == listening ? std::nullopt : std::optional(leads_to);
}

void validate_config(LoadedConfig& loaded, std::vector<std::string>& errors) {
    Validator(loaded, errors).run();
}

}  // namespace brickgate

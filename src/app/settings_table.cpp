// SPDX-License-Identifier: Apache-2.0
#include "app/settings_table.h"

#include <algorithm>

#include "app/settings_kinds.h"

namespace brickgate {

namespace {

using namespace setting_kinds;
using C = Config;

std::vector<Setting> server_settings() {
    return {
        text<&C::server, &C::Server::listen>(
            "server", "listen", "",
            "address and port for browsers; on loopback it serves programs too"),
        text<&C::server, &C::Server::private_listen>(
            "server", "private_listen", "",
            "address and port (or unix:/path) for programs; default where `listen` is not "
            "loopback: a free port on 127.0.0.1, which the log names"),
        text<&C::server, &C::Server::public_url>(
            "server", "public_url", "",
            "what browsers see, with a base path if there is one; default: where `redirect_uri` "
            "is, else http://localhost and the port"),
        list<&C::server, &C::Server::names>(
            "server", "names",
            "further names that programs and browsers may call this gateway by; its own addresses "
            "and that of `public_url` are known"),
        list<&C::server, &C::Server::trusted_proxies>(
            "server", "trusted_proxies",
            "addresses or networks (CIDR) whose X-Forwarded-For is believed, for limits and the "
            "log"),
        count<&C::server, &C::Server::threads>("server", "threads",
                                               "threads for HTTP; 0: one a core, 8 at most", 0, 64),
    };
}

std::vector<Setting> databricks_settings() {
    return {
        text<&C::databricks, &C::Databricks::host>(
            "databricks", "host", "DATABRICKS_HOST",
            "the workspace, with or without https://; none: people are asked for theirs"),
        text<&C::databricks, &C::Databricks::client_id>("databricks", "client_id", "CLIENT_ID",
                                                        "client id of the app connection"),
        secret<&C::databricks, &C::Databricks::client_secret>(
            "databricks", "client_secret", "CLIENT_SECRET", "its secret; none: a public client"),
        text<&C::databricks, &C::Databricks::redirect_uri>(
            "databricks", "redirect_uri", "REDIRECT_URI",
            "as it is registered; its path is the callback's; default: `public_url` and /callback"),
        list<&C::databricks, &C::Databricks::scopes>("databricks", "scopes", "scopes to ask for",
                                                     ", "),
        list<&C::databricks, &C::Databricks::hosts>(
            "databricks", "hosts",
            "further workspaces that ?workspace= may choose; `.corp.example` is a suffix"),
        choice(text<&C::databricks, &C::Databricks::client_authentication>(
                   "databricks", "client_authentication", "",
                   "automatic (client_secret_basic with a secret, else none), client_secret_basic, "
                   "client_secret_post or none"),
               {"automatic", "client_secret_basic", "client_secret_post", "none"}),
        text<&C::databricks, &C::Databricks::authorization_endpoint>(
            "databricks", "authorization_endpoint", "",
            "used instead of discovery, together with the next"),
        text<&C::databricks, &C::Databricks::token_endpoint>(
            "databricks", "token_endpoint", "",
            "used instead of discovery, together with the one before"),
        text<&C::databricks, &C::Databricks::jwks_uri>(
            "databricks", "jwks_uri", "", "with the two before, where an id_token is expected"),
        flag<&C::databricks, &C::Databricks::nonce_required>(
            "databricks", "nonce_required", "refuse an id_token that lacks the nonce we sent"),
        list<&C::databricks, &C::Databricks::allowed_networks>(
            "databricks", "allowed_networks",
            "networks (CIDR) of private-link addresses that may be connected to"),
        seconds<&C::databricks, &C::Databricks::refresh_token_life>(
            "databricks", "refresh_token_life",
            "life of a refresh token in seconds, as the account console has it; 0: unknown", 0,
            31536000),
        seconds<&C::databricks, &C::Databricks::session_life>(
            "databricks", "session_life",
            "seconds after a sign-in at which the account ends it whatever is refreshed; 0: "
            "unknown or never",
            0, 315360000),
    };
}

std::vector<Setting> app_and_data_settings() {
    return {
        text<&C::app, &C::App::name>("app", "name", "", "shown on the pages"),
        list<&C::app, &C::App::return_to>("app", "return_to",
                                          "exact addresses that /auth?return_to= may name"),
        text<&C::data, &C::Data::dir>(
            "data", "dir", "",
            "the data folder; default: $STATE_DIRECTORY, else $XDG_STATE_HOME/brickgate, else "
            "~/.local/state/brickgate"),
        text<&C::data, &C::Data::root_key_file>(
            "data", "root_key_file", "",
            "file of the root key; default: root.key in the data folder, made at the first start"),
        secret<&C::data, &C::Data::root_key>(
            "data", "root_key", "", "the root key itself, `rk1:` and base64; a file is better"),
        text<&C::data, &C::Data::root_key_credential>(
            "data", "root_key_credential", "",
            "name of the systemd credential (LoadCredentialEncrypted=) that is the root key"),
        list<&C::data, &C::Data::root_key_command>(
            "data", "root_key_command",
            "a program and its arguments, run without a shell, that prints the root key", " "),
        text<&C::data, &C::Data::root_key_passphrase_file>(
            "data", "root_key_passphrase_file", "",
            "file of a passphrase that the root key is derived from (Argon2id); `tty`: it is asked "
            "on the terminal"),
        choice(text<&C::data, &C::Data::memory_lock>(
                   "data", "memory_lock", "",
                   "keys in memory that is never swapped: best_effort, or required to start"),
               {"best_effort", "required"}),
        count<&C::data, &C::Data::spool_segment_kib>(
            "data", "spool_segment_kib", "size of a spool segment in KiB", 256, 1048576),
    };
}

std::vector<Setting> other_settings() {
    return {
        seconds<&C::refresh, &C::Refresh::lead_max>(
            "refresh", "lead_max",
            "refresh this many seconds before expiry, or at half the life if that is shorter", 1,
            86400),
        seconds<&C::refresh, &C::Refresh::serve_margin>(
            "refresh", "serve_margin",
            "a token with fewer seconds left (or a fifth of a short life) is renewed before it is "
            "handed out",
            0, 3600),
        seconds<&C::refresh, &C::Refresh::uncertain_wait>(
            "refresh", "uncertain_wait",
            "seconds to wait after a refresh whose answer may have been lost", 1, 600),
        choice(text<&C::refresh, &C::Refresh::uncertain_retry>(
                   "refresh", "uncertain_retry", "",
                   "when that refresh is tried once more: early (after `uncertain_wait`), or late "
                   "(when the old token is nearly over)"),
               {"early", "late"}),
        count<&C::refresh, &C::Refresh::concurrency>("refresh", "concurrency",
                                                     "refreshes in flight at once", 1, 256),
        count<&C::refresh, &C::Refresh::rate>("refresh", "rate", "refreshes a second", 1, 1000),
        count<&C::refresh, &C::Refresh::host_rate>("refresh", "host_rate",
                                                   "refreshes a second at one workspace", 1, 1000),
        text<&C::tls, &C::Tls::cert_file>(
            "tls", "cert_file", "",
            "PEM file of the listeners' certificate and its chain; with it they speak TLS. Read "
            "again on SIGHUP"),
        text<&C::tls, &C::Tls::key_file>("tls", "key_file", "", "PEM file of its private key"),
        flag<&C::tls, &C::Tls::terminated_upstream>(
            "tls", "terminated_upstream",
            "an ingress in front speaks TLS: plain HTTP may then be listened to on any address"),
        text<&C::tls, &C::Tls::ca_file>("tls", "ca_file", "",
                                        "PEM file of authorities trusted besides the system's"),
        text<&C::tls, &C::Tls::proxy>(
            "tls", "proxy", "",
            "outbound proxy, http://host:port; the one of the environment is never used"),
        choice(text<&C::log, &C::Log::level>("log", "level", "", "debug, info, warning or error"),
               {"debug", "info", "warning", "error"}),
        choice(
            text<&C::log, &C::Log::format>(
                "log", "format", "", "automatic (human on a terminal, else JSON), human or json"),
            {"automatic", "human", "json"}),
    };
}

std::vector<Setting> proxy_and_limits_settings() {
    return {
        list<&C::proxy, &C::Proxy::request_headers>(
            "proxy", "request_headers", "request headers that pass besides the usual ones"),
        text<&C::proxy, &C::Proxy::rate_limits_file>(
            "proxy", "rate_limits_file", "",
            "TOML file of limits to use instead of Databricks' published ones"),
        choice(text<&C::proxy, &C::Proxy::rate_mode>(
                   "proxy", "rate_mode", "",
                   "enforce (calls wait for their turn), report (only counts who would have) or "
                   "off"),
               {"enforce", "report", "off"}),
        seconds<&C::proxy, &C::Proxy::queue_max>(
            "proxy", "queue_max",
            "seconds that a call waits for its turn before it is answered 429", 0, 300),
        count<&C::proxy, &C::Proxy::attempts_max>(
            "proxy", "attempts_max", "attempts at one call, the first included", 1, 10),
        seconds<&C::proxy, &C::Proxy::retry_time_max>(
            "proxy", "retry_time_max", "seconds for all attempts at one call", 1, 600),
        seconds<&C::proxy, &C::Proxy::answer_timeout>(
            "proxy", "answer_timeout",
            "seconds until a workspace begins to answer; SQL waits 50, models minutes", 1, 3600),
        count<&C::limits, &C::Limits::logins_max>("limits", "logins_max",
                                                  "sign-ins under way at once", 1, 1000000),
        count<&C::limits, &C::Limits::requests_per_key>(
            "limits", "requests_per_key",
            "requests a second of one API key or capability, ten times as many in a burst; 0: no "
            "limit",
            0, 1000000),
        count<&C::limits, &C::Limits::requests_per_address>(
            "limits", "requests_per_address",
            "requests a second of one address (IPv6: of one /64) without a key that is known; 0: "
            "no limit",
            0, 1000000),
        count<&C::limits, &C::Limits::connections_max>(
            "limits", "connections_max", "connections of callers at once", 16, 1000000),
        count<&C::limits, &C::Limits::connections_per_address_max>(
            "limits", "connections_per_address_max",
            "connections of one address at once, but for this machine and trusted proxies", 1,
            1000000),
        count<&C::limits, &C::Limits::watchers_max>(
            "limits", "watchers_max", "callers that wait for a next token at once", 1, 1000000),
    };
}

std::vector<Setting> make_table() {
    std::vector<Setting> table;
    for (auto* const part : {server_settings, databricks_settings, app_and_data_settings,
                             proxy_and_limits_settings, other_settings}) {
        for (auto& setting : part()) {
            table.push_back(std::move(setting));
        }
    }
    return table;
}

}  // namespace

std::string Setting::environment_name() const {
    std::string out = "BRICKGATE_" + std::string(section) + "_" + std::string(key);
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    });
    return out;
}

std::span<Setting const> all_settings() {
    static std::vector<Setting> const table = make_table();
    return table;
}

}  // namespace brickgate

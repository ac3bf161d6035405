// SPDX-License-Identifier: Apache-2.0
#pragma once
// Everything that can be set, with its default. A plain struct: app/load_config fills it from
// flags, environment, .env and brickgate.toml (in that order of precedence) and remembers where
// each value came from; docs/configuration.md lists it and a test keeps the two together. In the
// file a member `b` of the section `a` is `b` under `[a]`; in the environment it is BRICKGATE_A_B.
#include <chrono>
#include <string>
#include <vector>

#include "base/secret.h"

namespace brickgate {

struct Config {
    struct Server {
        // ADDR:PORT for browsers; on loopback it serves programs too.
        std::string listen = "127.0.0.1:3000";
        // ADDR:PORT or unix:/path for programs; where `listen` is not loopback, a free port of
        // 127.0.0.1 is the default.
        std::string private_listen;
        // What browsers see, with a base path if there is one. Default: where redirect_uri is, else
        // http://localhost and the port.
        std::string public_url;
        std::vector<std::string> names;            // further names that Host may have (T54)
        std::vector<std::string> trusted_proxies;  // whose X-Forwarded-For is believed
        unsigned threads = 0;                      // 0: one a core, 8 at most
    } server;

    struct Databricks {
        std::string host;       // DATABRICKS_HOST; none: people are asked for theirs
        std::string client_id;  // CLIENT_ID
        Secret client_secret;   // CLIENT_SECRET; empty: a public client
        // REDIRECT_URI, as it is registered; its path is the callback's. Default: public_url and
        // /callback.
        std::string redirect_uri;
        std::vector<std::string> scopes = {"all-apis", "offline_access", "openid", "profile",
                                           "email"};
        // Further workspaces that ?workspace= may choose; ".corp.example" is a suffix.
        std::vector<std::string> hosts;
        // automatic | client_secret_basic | client_secret_post | none
        std::string client_authentication = "automatic";
        // Both or none: used instead of discovery; jwks_uri with them, for id_tokens.
        std::string authorization_endpoint;
        std::string token_endpoint;
        std::string jwks_uri;
        bool nonce_required = false;                // refuse an id_token that lacks our nonce
        std::vector<std::string> allowed_networks;  // CIDRs of private-link addresses
        // As the app connection has them in the account console; 0: unknown.
        std::chrono::seconds refresh_token_life{0};
        std::chrono::seconds session_life{0};
    } databricks;

    struct App {
        std::string name = "Brickgate";      // shown on the pages
        std::vector<std::string> return_to;  // exact URLs that /auth?return_to= may name
    } app;

    struct Data {
        std::string dir;                  // $STATE_DIRECTORY, else $XDG_STATE_HOME/brickgate
        std::string root_key_file;        // default <dir>/root.key, made at first start
        Secret root_key;                  // rk1:<base64>; warned about
        std::string root_key_credential;  // a name below $CREDENTIALS_DIRECTORY
        std::vector<std::string> root_key_command;  // a program and its arguments
        std::string root_key_passphrase_file;       // or "tty"
        std::string memory_lock = "best_effort";    // best_effort | required
        unsigned spool_segment_kib = 16384;
    } data;

    struct Refresh {
        std::chrono::seconds lead_max{1200};      // before expiry, or half the life if shorter
        std::chrono::seconds serve_margin{60};    // with less left it is renewed before it is given
        std::chrono::seconds uncertain_wait{30};  // after an answer that may have been lost
        std::string uncertain_retry = "early";    // early | late: when the old token is nearly over
        unsigned concurrency = 8;                 // refreshes in flight at once
        unsigned rate = 50;                       // refreshes a second, ahead of time or asked for
        unsigned host_rate = 5;                   // of these to one workspace
    } refresh;

    struct Proxy {
        // Request headers that pass besides the shipped list (T42).
        std::vector<std::string> request_headers;
        std::string rate_limits_file;              // TOML, instead of the shipped limits
        std::string rate_mode = "enforce";         // enforce | report | off
        std::chrono::seconds queue_max{30};        // a call waits so long for its turn
        unsigned attempts_max = 4;                 // of one call, the first included
        std::chrono::seconds retry_time_max{60};   // for all of them together
        std::chrono::seconds answer_timeout{300};  // to the first byte of an answer
    } proxy;

    struct Limits {
        unsigned logins_max = 10000;  // sign-ins under way; T09
        // T50, in requests a second with a burst of ten times as much; 0: no limit.
        unsigned requests_per_key = 1000;
        unsigned requests_per_address = 200;  // without a key that is known
        unsigned connections_max = 20000;     // T51
        unsigned connections_per_address_max = 256;
        unsigned watchers_max = 2000;  // long polls and event streams
    } limits;

    struct Tls {
        std::string cert_file;  // PEM chain: the listeners speak TLS; read again on SIGHUP
        std::string key_file;
        bool terminated_upstream = false;  // an ingress in front speaks TLS for us
        std::string ca_file;               // trusted besides the system's
        std::string proxy;                 // outbound; empty: none, whatever the environment says
    } tls;

    struct Log {
        std::string level = "info";        // debug | info | warning | error
        std::string format = "automatic";  // automatic | human | json
    } log;
};

}  // namespace brickgate

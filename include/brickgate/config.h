// SPDX-License-Identifier: Apache-2.0
#pragma once
// Everything that can be set, with its default. A plain struct: app/load_config fills it from
// flags, environment, .env and brickgate.toml (in that order of precedence) and remembers where
// each value came from; docs/configuration.md lists it and a test keeps the two together. In the
// file a member `b` of the section `a` is `b` under `[a]`; in the environment it is BRICKGATE_A_B.
// Lists are comma separated there.

#include <chrono>
#include <string>
#include <vector>

#include "base/secret.h"

namespace brickgate {

struct Config {
    struct Server {
        std::string listen =
            "127.0.0.1:3000";  // ADDR:PORT of the browsers' listener; loopback serves everything
        std::string private_listen;  // ADDR:PORT of the API where `listen` is not loopback
        std::string public_url;      // what browsers see; default: http://localhost:<port>
        std::vector<std::string> trusted_proxies;  // addresses whose X-Forwarded-For is believed
        unsigned threads = 0;                      // 0: one a core, 8 at most
    } server;

    struct Databricks {
        std::string host;          // DATABRICKS_HOST; also the first of `hosts`
        std::string client_id;     // CLIENT_ID
        Secret client_secret;      // CLIENT_SECRET; empty: a public client
        std::string redirect_uri;  // REDIRECT_URI; default http://localhost:<port>/callback
        std::vector<std::string> scopes = {"all-apis", "offline_access", "openid", "profile",
                                           "email"};
        std::vector<std::string>
            hosts;  // further hosts this registration serves; ".corp.example" is a suffix
        std::string client_authentication =
            "automatic";  // automatic | client_secret_basic | client_secret_post | none
        std::string authorization_endpoint;  // both or none: used instead of discovery
        std::string token_endpoint;
        std::string jwks_uri;         // with the two above, where an id_token is expected
        bool nonce_required = false;  // refuse an id_token without the nonce we sent
        std::vector<std::string>
            allowed_networks;  // CIDRs of private-link addresses that may be connected to
    } databricks;

    struct App {
        std::string name = "Brickgate";      // shown on the pages
        std::vector<std::string> return_to;  // exact URLs that /auth?return_to= may name
    } app;

    struct Data {
        std::string dir;  // default $XDG_STATE_HOME/brickgate; a service: /var/lib/brickgate
        std::string root_key_file;                // default <dir>/root.key, made at the first start
        Secret root_key;                          // rk1:<base64>; warned about: a file is better
        std::string memory_lock = "best_effort";  // best_effort | required
        unsigned spool_segment_kib = 16384;
    } data;

    struct Refresh {
        std::chrono::seconds lead_max{
            1200};  // refresh this long before expiry, or half the life if shorter
        std::chrono::seconds serve_margin{
            60};  // a token with less life left is renewed before it is handed out
        std::chrono::seconds uncertain_wait{30};  // after an answer that may have been lost
        unsigned concurrency = 8;                 // refreshes in flight at once
    } refresh;

    struct Limits {
        unsigned logins_max = 10000;             // pending sign-ins; T09
        unsigned token_requests_per_second = 0;  // per API key; 0: no limit
    } limits;

    struct Tls {
        std::string ca_file;  // trusted besides the system's
        std::string proxy;    // outbound proxy; empty: none, whatever the environment says
    } tls;

    struct Log {
        std::string level = "info";        // debug | info | warning | error
        std::string format = "automatic";  // automatic | human | json
    } log;
};

}  // namespace brickgate

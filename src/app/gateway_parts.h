// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a Gateway is made of. gateway_open.cpp makes it, gateway.cpp is its life.
#include "app/gateway.h"
#include "connect/discovery.h"
#include "connect/login.h"
#include "connect/revocation.h"
#include "net/curl_client.h"
#include "net/http_server.h"
#include "net/metrics.h"
#include "net/system_ports.h"
#include "net/tls_files.h"
#include "net/upstream.h"
#include "proxy/governor.h"
#include "proxy/proxy.h"
#include "server/access.h"
#include "server/door.h"
#include "server/keys_api.h"
#include "server/proxy_routes.h"
#include "server/routes.h"
#include "server/service_principals_api.h"
#include "server/token_watch_routes.h"
#include "tokens/refresher.h"
#include "tokens/scheduler.h"
#include "vault/api_keys.h"
#include "vault/capabilities.h"
#include "vault/data_folder.h"
#include "vault/key_rotation.h"
#include "vault/keyring.h"
#include "vault/root_rotation.h"
#include "vault/spool.h"
#include "vault/sqlite_store.h"
#include "vault/store_runner.h"

namespace brickgate {

// In the order of construction; destroyed the other way round.
struct Gateway::Parts {
    Parts(LoadedConfig loaded_config, GatewayOptions gateway_options, Runtime& the_runtime)
        : loaded(std::move(loaded_config)),
          options(std::move(gateway_options)),
          runtime(the_runtime) {}

    Result<void> open_vault();
    Result<void> open_network();
    void open_domain();
    void open_server();
    Result<void> open_data_plane();  // how workspaces are called, and how often
    void open_door();
    void open_proxy();
    void open_principals();
    TlsSource tls_source() const;
    Task<void> stop_proxy();
    Task<void> stream(Exchange& exchange);
    void open_streams();
    void stream_with(ServerOptions& server_options);
    Result<void> open_listeners();
    Result<void> listen_on_other_loopback(ListenerKind kind);
    Task<ServerResponse> handle(ServerRequest const& request);
    Task<Result<void>> make_demo_key();
    Task<Result<void>> recover();
    Task<Result<void>> hold_back_restored();
    Task<void> keep_house();
    Task<void> release_watchers();
    void add_shutdown_steps();
    void reload();

    LoadedConfig loaded;
    GatewayOptions options;
    Runtime& runtime;
    SystemClock clock;
    SystemRandom random;
    AsioTimers timers{clock};
    Metrics metrics;

    std::unique_ptr<DataFolder> folder;
    std::filesystem::path root_key_file;
    bool root_key_made = false;
    std::unique_ptr<Store> store;
    std::unique_ptr<Keyring> keyring;
    std::unique_ptr<Envelope> envelope;
    std::unique_ptr<ThreadedStoreRunner> runner;
    std::unique_ptr<Vault> vault;
    std::unique_ptr<Spool> spool;
    std::unique_ptr<KeyRotation> rotation;
    std::unique_ptr<RootRotation> root_rotation;
    std::unique_ptr<ApiKeys> keys;
    std::unique_ptr<Capabilities> capabilities;

    std::vector<std::shared_ptr<Registration const>> registrations;
    std::unique_ptr<CurlClient> http;
    std::shared_ptr<UpstreamShared> upstream;
    std::unique_ptr<TlsFiles> tls_files;  // nullptr: listeners speak plain HTTP
    std::unique_ptr<Governor> governor;
    std::unique_ptr<Discovery> discovery;
    std::unique_ptr<Login> login;
    std::unique_ptr<Revocation> revocation;
    std::unique_ptr<ServicePrincipals> principals;
    std::unique_ptr<TokenWatch> token_watch;
    std::unique_ptr<TokenCache> cache;
    std::unique_ptr<Refresher> refresher;
    std::unique_ptr<Scheduler> scheduler;
    ForcedRefreshes forced_refreshes{clock};

    ServerSettings settings;
    std::unique_ptr<ConnectPages> pages;
    std::unique_ptr<Api> api;
    std::unique_ptr<Operations> operations;
    std::unique_ptr<CapabilitiesApi> capabilities_api;
    std::unique_ptr<KeysApi> keys_api;
    std::unique_ptr<MetadataService> metadata;
    std::unique_ptr<UrlKeys> url_keys;
    std::unique_ptr<InboundLimits> inbound_limits;
    std::unique_ptr<TrustedProxies> trusted_proxies;
    std::unique_ptr<Door> door;
    std::unique_ptr<Proxy> proxy;
    std::unique_ptr<ProxyRoutes> proxy_routes;
    std::unique_ptr<ServicePrincipalsApi> principals_api;
    std::unique_ptr<Router> router;
    std::unique_ptr<TokenWatchRoutes> token_watch_routes;
    Streams streams;
    std::unique_ptr<HttpServer> server;
    std::string listen_address;
    std::string private_address;
    std::function<void(std::string const&, std::string const&)> tell_connected;
    bool stopping = false;
};

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
// Opening everything, in order: folder, keys, store, spool, network, domain, routes, listeners.
#include <algorithm>

#include "app/from_config.h"
#include "app/gateway_parts.h"
#include "app/process.h"
#include "app/root_source.h"
#include "app/validate_config.h"
#include "base/log.h"

namespace brickgate {

namespace {

constexpr std::string_view socket_prefix = "unix:";

bool is_socket(std::string const& address) {
    return address.starts_with(socket_prefix);
}

// Where descriptors end before connections do, everything ends with them: refreshes too.
std::size_t connections_to_take(std::size_t wanted) {
    std::size_t const descriptors = raise_descriptor_limit();
    std::size_t const most = connections_within(descriptors);
    if (wanted > most) {
        log(LogLevel::warning, "connections_limited",
            "This process may not open enough files for limits.connections_max; fewer connections "
            "are taken. Raise LimitNOFILE, or ulimit -n.",
            {{"connections", std::to_string(most)}, {"descriptors", std::to_string(descriptors)}});
    }
    return std::min(wanted, most);
}

}  // namespace

Result<void> Gateway::Parts::open_vault() {
    auto const& config = loaded.config;
    auto opened = DataFolder::open(config.data.dir, random);
    while (!opened && opened.error().code() == ErrorCode::in_use && options.wait_for_folder &&
           options.wait_for_folder()) {
        opened = DataFolder::open(config.data.dir, random);
    }
    if (!opened) {
        return fail(opened.error());
    }
    folder = std::move(*opened);
    auto roots = load_root_keys(config, folder->path(), random);
    if (!roots) {
        return fail(roots.error());
    }
    root_key_made = roots->made;
    root_key_file = roots->file;
    auto database = open_sqlite_store(folder->path() / "brickgate.db");
    if (!database) {
        return fail(database.error());
    }
    store = std::move(*database);
    auto ring = Keyring::open(std::move(roots->keys), *store, config.data.memory_lock == "required",
                              clock.now(), random);
    if (!ring) {
        return fail(ring.error());
    }
    keyring = std::move(*ring);
    envelope = std::make_unique<Envelope>(*keyring, random);
    runner = std::make_unique<ThreadedStoreRunner>(*store);
    vault = std::make_unique<Vault>(*runner, *envelope, clock, random);
    keys = std::make_unique<ApiKeys>(*vault, *keyring, clock, random);
    capabilities = std::make_unique<Capabilities>(*vault, *keyring, clock, random);
    SpoolOptions spool_options;
    spool_options.folder = folder->path() / "spool";
    spool_options.node = folder->node();
    spool_options.segment_bytes = std::size_t{config.data.spool_segment_kib} * 1024;
    auto spool_opened = open_spool(std::move(spool_options), *keyring, random);
    if (!spool_opened) {
        return fail(spool_opened.error());
    }
    spool = std::move(*spool_opened);
    rotation = std::make_unique<KeyRotation>(
        KeyRotation::Parts{*keyring, *envelope, *runner, *spool, clock, random, timers, metrics});
    root_rotation = std::make_unique<RootRotation>(
        RootRotation::Parts{*keyring, *rotation, *spool, random, root_key_file});
    return {};
}

Result<void> Gateway::Parts::open_network() {
    CurlOptions curl;
    curl.ca_file = loaded.config.tls.ca_file;
    curl.proxy = loaded.config.tls.proxy;
    curl.own_endpoints = own_endpoints(loaded.config.server);
    auto client = CurlClient::create(std::move(curl), clock);
    if (!client) {
        return fail(client.error());
    }
    http = std::move(*client);
    return open_data_plane();
}

void Gateway::Parts::open_domain() {
    auto const& config = loaded.config;
    registrations = {make_registration(config), make_principals_registration(config),
                     make_terminal_registration(config)};
    auto const policy = policy_of(config);
    discovery = std::make_unique<Discovery>(*http, clock);
    token_watch = std::make_unique<TokenWatch>(config.limits.watchers_max, timers);
    cache = std::make_unique<TokenCache>(random, policy);
    cache->on_change([this](ConnectionId const& id) { token_watch->changed(id); });
    Refresher::Parts refresher_parts{registrations,
                                     *vault,
                                     *spool,
                                     *http,
                                     *cache,
                                     clock,
                                     random,
                                     timers,
                                     policy,
                                     folder->node(),
                                     folder->boot(),
                                     config.refresh.concurrency,
                                     RefreshRates{config.refresh.host_rate, config.refresh.rate}};
    refresher = std::make_unique<Refresher>(std::move(refresher_parts));
    scheduler = std::make_unique<Scheduler>(*refresher, *vault, clock, timers);
    Login::Parts login_parts{.registrations = registrations,
                             .vault = *vault,
                             .spool = *spool,
                             .http = *http,
                             .discovery = *discovery,
                             .clock = clock,
                             .random = random,
                             .return_to_allowed = loaded.config.app.return_to,
                             .logins_max = config.limits.logins_max,
                             .refresh_due =
                                 [this, policy](Time issued, Time expires) {
                                     return policy.due_at(issued, expires, random.unit());
                                 },
                             .timers = timers};
    login = std::make_unique<Login>(std::move(login_parts));
    revocation =
        std::make_unique<Revocation>(Revocation::Parts{registrations, *vault, *discovery, *http});
}

void Gateway::Parts::open_server() {
    settings = make_server_settings(loaded.config, *registrations.front());
    settings.demo = options.demo;
    auto const connected = [this](LoginFinished const& done) {
        refresher->replaced(done.connection);
        if (tell_connected) {
            tell_connected(done.connection.id.value(), done.connection.workspace);
        }
    };
    ConnectPages::Parts pages_parts{settings,          *login,   registrations.front(),
                                    runtime.control(), clock,    random,
                                    metrics,           connected};
    pages = std::make_unique<ConnectPages>(std::move(pages_parts));
    Api::Parts api_parts{settings,
                         *vault,
                         *refresher,
                         *cache,
                         *keys,
                         *login,
                         *revocation,
                         registrations.back(),
                         runtime.control(),
                         clock,
                         metrics,
                         *capabilities,
                         forced_refreshes,
                         governor.get()};
    api = std::make_unique<Api>(std::move(api_parts));
    operations = std::make_unique<Operations>(
        Operations::Parts{metrics, *refresher, *vault, *cache, runtime.control()});
    capabilities_api = std::make_unique<CapabilitiesApi>(
        CapabilitiesApi::Parts{*keys, *capabilities, runtime.control()});
    metadata = std::make_unique<MetadataService>(
        MetadataService::Parts{settings, *capabilities, *refresher, runtime.control()});
    url_keys = std::make_unique<UrlKeys>(
        UrlKeys::Parts{settings.base_path, *keys, *capabilities, runtime.control()});
    router = std::make_unique<Router>(
        make_router(settings, *pages, *api, *operations, *capabilities_api, *metadata));
    keys_api = std::make_unique<KeysApi>(
        KeysApi::Parts{*keys, *keyring, *rotation, *root_rotation, runtime.control()});
    keys_api->add_to(*router);
    open_door();
    open_proxy();
    open_principals();
    open_streams();
}

Result<void> Gateway::Parts::open_listeners() {
    ServerOptions server_options;
    server_options.executors = runtime.workers();
    server_options.limits.connections_max =
        connections_to_take(loaded.config.limits.connections_max);
    server_options.limits.connections_per_address_max =
        loaded.config.limits.connections_per_address_max;
    server_options.many_from = loaded.config.server.trusted_proxies;
    server_options.fast = [this](ServerRequest const& request, ResponseBuffer& out) {
        return api->token_from_memory(request, out, *door);
    };
    server_options.handler = [this](ServerRequest const& request) { return handle(request); };
    server_options.render = [this](ServerRequest const& request, Error const& error) {
        return make_renderer(settings)(request, error, std::nullopt);
    };
    stream_with(server_options);
    server = std::make_unique<HttpServer>(std::move(server_options), clock);
    auto const& config = loaded.config.server;
    bool const apart = !listens_on_loopback(config.listen) || !config.private_listen.empty();
    auto const kind = apart ? ListenerKind::public_ : ListenerKind::both;
    TlsSource const tls = tls_source();
    auto first = server->listen_tcp(kind, config.listen, tls);
    if (!first) {
        return fail(first.error());
    }
    listen_address = std::move(*first);
    if (auto const both = listen_on_other_loopback(kind); !both) {
        return both;
    }
    if (apart && is_socket(config.private_listen)) {
        private_address = config.private_listen;
        auto const opened = server->listen_unix(config.private_listen.substr(socket_prefix.size()));
        if (!opened) {
            return opened;
        }
    } else if (apart) {
        auto second = server->listen_tcp(
            ListenerKind::private_,
            config.private_listen.empty() ? "127.0.0.1:0" : config.private_listen, tls);
        if (!second) {
            return fail(second.error());
        }
        private_address = std::move(*second);
    }
    metadata->set_ports({port_of(listen_address), port_of(private_address)});
    return server->listen_unix((folder->path() / "brickgate.sock").string());
}

// Browsers may take localhost for ::1. Whoever listens there would get our people, and their codes.
Result<void> Gateway::Parts::listen_on_other_loopback(ListenerKind kind) {
    constexpr std::string_view v4 = "127.0.0.1:";
    if (!listen_address.starts_with(v4)) {
        return {};
    }
    auto const other =
        server->listen_tcp(kind, "[::1]:" + listen_address.substr(v4.size()), tls_source());
    if (!other && other.error().code() == ErrorCode::address_in_use) {
        return fail(other.error());
    }
    return {};  // a machine without IPv6 has no such address
}

}  // namespace brickgate

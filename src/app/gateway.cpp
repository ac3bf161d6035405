// SPDX-License-Identifier: Apache-2.0
#include "app/gateway.h"

#include <unistd.h>

#include <future>

#include "app/from_config.h"
#include "app/validate_config.h"
#include "base/log.h"
#include "connect/discovery.h"
#include "connect/login.h"
#include "net/bridge.h"
#include "net/curl_client.h"
#include "net/error_response.h"
#include "net/http_server.h"
#include "net/metrics.h"
#include "net/system_ports.h"
#include "server/routes.h"
#include "tokens/refresher.h"
#include "tokens/scheduler.h"
#include "vault/api_keys.h"
#include "vault/data_folder.h"
#include "vault/keyring.h"
#include "vault/spool.h"
#include "vault/sqlite_store.h"
#include "vault/store_runner.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds drain_grace = 10s;
constexpr Milliseconds housekeeping_every = 60s;

RefreshPolicy policy_of(Config const& config) {
    RefreshPolicy policy;
    policy.lead_max = config.refresh.lead_max;
    policy.serve_margin = config.refresh.serve_margin;
    policy.uncertain_wait = config.refresh.uncertain_wait;
    return policy;
}

LogLevel level_of(std::string const& name) {
    if (name == "debug") {
        return LogLevel::debug;
    }
    if (name == "warning") {
        return LogLevel::warning;
    }
    return name == "error" ? LogLevel::error : LogLevel::info;
}

LogFormat format_of(std::string const& name) {
    if (name == "human") {
        return LogFormat::human;
    }
    return name == "json" ? LogFormat::json : LogFormat::automatic;
}

}  // namespace

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
    Result<void> open_listeners();
    Task<Result<void>> make_demo_key();
    Task<Result<void>> recover();
    Task<void> keep_house();
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
    std::unique_ptr<ApiKeys> keys;

    std::vector<std::shared_ptr<Registration const>> registrations;
    std::unique_ptr<CurlClient> http;
    std::unique_ptr<Discovery> discovery;
    std::unique_ptr<Login> login;
    std::unique_ptr<TokenCache> cache;
    std::unique_ptr<Refresher> refresher;
    std::unique_ptr<Scheduler> scheduler;

    ServerSettings settings;
    std::unique_ptr<ConnectPages> pages;
    std::unique_ptr<Api> api;
    std::unique_ptr<Operations> operations;
    std::unique_ptr<Router> router;
    std::unique_ptr<HttpServer> server;
    std::string listen_address;
    std::string private_address;
    std::function<void(std::string const&, std::string const&)> tell_connected;
    bool stopping = false;
};

Result<void> Gateway::Parts::open_vault() {
    auto const& config = loaded.config;
    auto opened = DataFolder::open(config.data.dir, random);
    if (!opened) {
        return fail(opened.error());
    }
    folder = std::move(*opened);
    std::vector<Secret> roots;
    if (!config.data.root_key.empty()) {
        auto parsed = config.data.root_key.expose(
            [](std::string_view text) { return parse_root_keys(text); });
        if (!parsed) {
            return fail(parsed.error());
        }
        roots = std::move(*parsed);
    } else {
        root_key_file = config.data.root_key_file.empty()
                            ? folder->path() / "root.key"
                            : std::filesystem::path(config.data.root_key_file);
        auto file = load_root_key_file(root_key_file, random);
        if (!file) {
            return fail(file.error());
        }
        root_key_made = file->made;
        roots = std::move(file->keys);
    }
    auto database = open_sqlite_store(folder->path() / "brickgate.db");
    if (!database) {
        return fail(database.error());
    }
    store = std::move(*database);
    auto ring = Keyring::open(std::move(roots), *store, config.data.memory_lock == "required",
                              clock.now(), random);
    if (!ring) {
        return fail(ring.error());
    }
    keyring = std::move(*ring);
    envelope = std::make_unique<Envelope>(*keyring, random);
    runner = std::make_unique<ThreadedStoreRunner>(*store);
    vault = std::make_unique<Vault>(*runner, *envelope, clock, random);
    keys = std::make_unique<ApiKeys>(*vault, *keyring, clock, random);
    SpoolOptions spool_options;
    spool_options.folder = folder->path() / "spool";
    spool_options.node = folder->node();
    spool_options.segment_bytes = std::size_t{config.data.spool_segment_kib} * 1024;
    auto spool_opened = open_spool(std::move(spool_options), keyring->spool_key(), random);
    if (!spool_opened) {
        return fail(spool_opened.error());
    }
    spool = std::move(*spool_opened);
    return {};
}

Result<void> Gateway::Parts::open_network() {
    CurlOptions curl;
    curl.ca_file = loaded.config.tls.ca_file;
    curl.proxy = loaded.config.tls.proxy;
    auto client = CurlClient::create(std::move(curl), clock);
    if (!client) {
        return fail(client.error());
    }
    http = std::move(*client);
    return {};
}

void Gateway::Parts::open_domain() {
    auto const& config = loaded.config;
    registrations = {make_registration(config), make_terminal_registration(config)};
    auto const policy = policy_of(config);
    discovery = std::make_unique<Discovery>(*http, clock);
    cache = std::make_unique<TokenCache>(random, policy);
    Refresher::Parts refresher_parts{
        registrations, *vault, *spool, *http,          *cache,         clock,
        random,        timers, policy, folder->node(), folder->boot(), config.refresh.concurrency};
    refresher = std::make_unique<Refresher>(std::move(refresher_parts));
    scheduler =
        std::make_unique<Scheduler>(*refresher, *vault, clock, timers, config.refresh.concurrency);
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
}

void Gateway::Parts::open_server() {
    settings = make_server_settings(loaded.config, *registrations.front());
    if (options.demo_sandbox) {
        settings.demo = DemoInfo{"", *options.demo_sandbox};
    }
    auto const connected = [this](LoginFinished const& done) {
        cache->forget(done.connection.id);
        if (tell_connected) {
            tell_connected(done.connection.id.value(), done.connection.workspace);
        }
    };
    ConnectPages::Parts pages_parts{settings,          *login,   registrations.front(),
                                    runtime.control(), clock,    random,
                                    metrics,           connected};
    pages = std::make_unique<ConnectPages>(std::move(pages_parts));
    Api::Parts api_parts{settings, *vault, *refresher,           *cache,
                         *keys,    *login, registrations.back(), runtime.control(),
                         clock,    metrics};
    api = std::make_unique<Api>(std::move(api_parts));
    operations = std::make_unique<Operations>(
        Operations::Parts{metrics, *refresher, *vault, *cache, runtime.control()});
    router = std::make_unique<Router>(make_router(settings, *pages, *api, *operations));
}

Result<void> Gateway::Parts::open_listeners() {
    ServerOptions server_options;
    server_options.executors = runtime.workers();
    server_options.fast = [this](ServerRequest const& request, ResponseBuffer& out) {
        return api->token_from_memory(request, out);
    };
    server_options.handler = [this](ServerRequest const& request) {
        return router->handle(request);
    };
    server = std::make_unique<HttpServer>(std::move(server_options), clock);
    auto const& config = loaded.config.server;
    bool const loopback = listens_on_loopback(config.listen);
    bool const apart = !loopback || !config.private_listen.empty();
    auto first =
        server->listen_tcp(apart ? ListenerKind::public_ : ListenerKind::both, config.listen);
    if (!first) {
        return fail(first.error());
    }
    listen_address = std::move(*first);
    if (apart) {
        auto second = server->listen_tcp(ListenerKind::private_, config.private_listen.empty()
                                                                     ? "127.0.0.1:0"
                                                                     : config.private_listen);
        if (!second) {
            return fail(second.error());
        }
        private_address = std::move(*second);
    }
    return server->listen_unix((folder->path() / "brickgate.sock").string());
}

Task<Result<void>> Gateway::Parts::make_demo_key() {
    for (auto const& row : keys->list()) {
        if (row.name != "demo" || row.revoked_at) {
            continue;
        }
        auto const revoked = co_await keys->revoke(row.id);
        if (!revoked) {
            co_return fail(revoked.error());
        }
    }
    std::vector<std::string> rights{"token:read", "connections"};
    auto const created = co_await keys->create("demo", std::move(rights), std::nullopt);
    if (!created) {
        co_return fail(created.error());
    }
    created->key.expose([&](std::string_view key) { settings.demo->api_key = key; });
    co_return Result<void>{};
}

Task<Result<void>> Gateway::Parts::recover() {
    std::vector<SpoolEntry> refreshes;
    std::vector<SpoolEntry> logins;
    for (auto& entry : spool->take_unresolved()) {
        (entry.identity.kind == SpoolKind::refresh ? refreshes : logins)
            .push_back(std::move(entry));
    }
    co_await login->recover(std::move(logins));
    co_return co_await refresher->recover(std::move(refreshes));
}

Task<void> Gateway::Parts::keep_house() {
    Time last = clock.now();
    while (!stopping) {
        co_await timers.sleep_for(1s);  // short, so that a stop is noticed
        Time const now = clock.now();
        if (now - last < housekeeping_every) {
            continue;
        }
        last = now;
        spool->trim(now);
        StoreJob const sweep = [now](StoreTransaction& rows) -> Result<void> {
            auto const gone = rows.delete_logins_expired_before(now);
            if (!gone) {
                return fail(gone.error());
            }
            return {};
        };
        (void)co_await vault->transact(sweep);
    }
}

void Gateway::Parts::add_shutdown_steps() {
    runtime.on_shutdown("listeners", [this]() -> Task<void> {
        operations->set_ready(false);
        scheduler->stop();
        stopping = true;
        if (server) {
            co_await server->drain(drain_grace);
        }
    });
    runtime.on_shutdown("refreshes", [this]() -> Task<void> {
        // What is in the air is finished: an answer that comes must be kept.
        refresher->stop_claiming();
        co_await refresher->drained();
    });
    runtime.on_shutdown("vault", [this]() -> Task<void> {
        runner->stop();
        spool->trim(clock.now());
        co_return;
    });
}

void Gateway::Parts::reload() {
    if (!options.reread) {
        return;
    }
    auto const fresh = load_config(options.reread());
    if (!fresh) {
        log(LogLevel::error, "reload_refused",
            "The configuration has errors; what was loaded stays: " + fresh.error().front());
        return;
    }
    set_up_log(level_of(fresh->config.log.level), format_of(fresh->config.log.format));
    log(LogLevel::info, "reloaded",
        "The log's level and format were read again; everything else needs a restart.");
}

Gateway::Gateway(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Gateway::~Gateway() = default;

Result<std::unique_ptr<Gateway>> Gateway::create(LoadedConfig loaded, GatewayOptions options,
                                                 Runtime& runtime) {
    set_up_log(level_of(loaded.config.log.level), format_of(loaded.config.log.format));
    for (auto const& warning : loaded.warnings) {
        log(LogLevel::warning, "configuration", warning);
    }
    auto parts = std::make_unique<Parts>(std::move(loaded), std::move(options), runtime);
    if (auto const opened = parts->open_vault(); !opened) {
        return fail(opened.error());
    }
    if (auto const opened = parts->open_network(); !opened) {
        return fail(opened.error());
    }
    parts->open_domain();
    parts->open_server();
    if (parts->options.listen) {
        if (auto const opened = parts->open_listeners(); !opened) {
            return fail(opened.error());
        }
    }
    parts->add_shutdown_steps();
    runtime.on_reload([raw = parts.get()] { raw->reload(); });
    return std::unique_ptr<Gateway>(new Gateway(std::move(parts)));
}

Task<Result<void>> Gateway::start() {
    auto& parts = *parts_;
    auto const loaded = co_await parts.keys->load();
    if (!loaded) {
        co_return loaded;
    }
    if (parts.settings.demo) {
        auto const made = co_await parts.make_demo_key();
        if (!made) {
            co_return made;
        }
    }
    auto const recovered = co_await parts.recover();
    if (!recovered) {
        co_return recovered;
    }
    if (!parts.options.listen) {
        co_return Result<void>{};
    }
    auto const executor = co_await boost::asio::this_coro::executor;
    spawn(executor, parts.scheduler->run());
    spawn(executor, parts.keep_house());
    parts.server->start();
    parts.operations->set_ready(true);
    if (parts.root_key_made) {
        log(LogLevel::warning, "root_key_made",
            "A root key was made. Keep a copy of it, apart from every other backup.",
            {{"file", parts.root_key_file.string()}});
    }
    log(LogLevel::info, "ready", "Requests are answered.",
        {{"listen", parts.listen_address},
         {"private_listen", parts.private_address},
         {"public_url", parts.settings.public_url},
         {"data", parts.folder->path().string()},
         {"sandbox", parts.options.demo_sandbox.value_or("")}});
    co_return Result<void>{};
}

std::string Gateway::listen_address() const {
    return parts_->listen_address;
}
std::string Gateway::private_address() const {
    return parts_->private_address;
}
ServerSettings const& Gateway::settings() const {
    return parts_->settings;
}
bool Gateway::root_key_made() const {
    return parts_->root_key_made;
}
std::filesystem::path Gateway::root_key_file() const {
    return parts_->root_key_file;
}
void Gateway::on_connected(std::function<void(std::string const&, std::string const&)> tell) {
    parts_->tell_connected = std::move(tell);
}

ServerResponse Gateway::dispatch(std::string const& method, std::string const& target,
                                 std::string const& body) {
    std::promise<ServerResponse> promise;
    auto request = ServerRequest::of(method, target);
    request.body = body;
    request.listener = ListenerKind::local_socket;
    request.peer_uid = geteuid();
    auto const answer = [](Router const& router, ServerRequest const& asked,
                           std::promise<ServerResponse>& out) -> Task<void> {
        out.set_value(co_await router.handle(asked));
    };
    auto future = promise.get_future();
    spawn(parts_->runtime.control(), answer(*parts_->router, request, promise));
    return future.get();
}

}  // namespace brickgate

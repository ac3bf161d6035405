// SPDX-License-Identifier: Apache-2.0
#include "app/gateway.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <future>

#include "app/gateway_parts.h"
#include "app/settings_table.h"
#include "base/log.h"
#include "net/bridge.h"
#include "net/error_response.h"
#include "vault/backup.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds drain_grace = 10s;
constexpr Milliseconds housekeeping_every = 60s;
// 1 January 2026: a clock that stands before it would make every token look fresh (T68).
constexpr Time first_day{std::chrono::sys_days(std::chrono::year(2026) / 1 / 1)};

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

// The names of settings that differ, but for the log's, which are read again.
std::string changed_settings(LoadedConfig const& before, LoadedConfig const& now) {
    std::string out;
    for (auto const& setting : all_settings()) {
        if (setting.section != "log" && setting.show(before.config) != setting.show(now.config)) {
            out += (out.empty() ? "" : ", ") + setting.name();
        }
    }
    return out;
}

// Programs of this machine need not know which base path browsers see.
Task<ServerResponse> below_base_path(Router const& router, std::string target,
                                     ServerRequest request) {
    auto const split = ServerRequest::of(request.method, target);
    request.target = split.target;
    request.path = split.path;
    request.query = split.query;
    co_return co_await router.handle(request);
}

}  // namespace

Task<ServerResponse> Gateway::Parts::handle(ServerRequest const& request) {
    if (auto const refused = door->refuse(request)) {
        co_return make_renderer(settings)(request, *refused, std::nullopt);
    }
    auto const& base = settings.base_path;
    bool const browser =
        request.listener == ListenerKind::public_ || request.listener == ListenerKind::both;
    bool const as_is = base.empty() || browser || request.path.starts_with(base + "/");
    auto response =
        as_is ? co_await router->handle(request)
              : co_await below_base_path(*router, base + std::string(request.target), request);
    if (response.status == 401) {
        if (auto const guesses = door->refuse_guess(request)) {
            co_return error_response(*guesses);
        }
    }
    co_return response;
}

// The key of the last run goes on working, so that its lines can be used again after a kill -9.
Task<Result<void>> Gateway::Parts::make_demo_key() {
    auto const file = folder->path() / "demo.key";
    std::string kept;
    std::ifstream(file) >> kept;
    if (keys->verify(kept)) {
        settings.demo->api_key = kept;
        co_return Result<void>{};
    }
    std::vector<std::string> rights{"token:read", "connections"};
    auto const created = co_await keys->create("demo", std::move(rights), std::nullopt);
    if (!created) {
        co_return fail(created.error());
    }
    created->key.expose([&](std::string_view key) { settings.demo->api_key = key; });
    std::ofstream(file) << settings.demo->api_key << '\n';
    std::error_code ignored;
    std::filesystem::permissions(
        file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ignored);
    co_return Result<void>{};
}

Task<Result<void>> Gateway::Parts::recover() {
    std::vector<SpoolEntry> refreshes;
    std::vector<SpoolEntry> logins;
    for (auto& entry : spool->take_unresolved()) {
        (entry.identity.kind == SpoolKind::refresh ? refreshes : logins)
            .push_back(std::move(entry));
    }
    // A command may not have the configuration that the sign-in was begun with; the daemon has.
    if (options.listen) {
        co_await login->recover(std::move(logins));
    }
    co_return co_await refresher->recover(std::move(refreshes));
}

// What a restored backup holds may be out of date, its spool included (D.4). Said again until the
// daemon has been through it, since a command does not finish sign-ins.
Task<Result<void>> Gateway::Parts::hold_back_restored() {
    bool const last = options.listen;
    std::size_t held = 0;
    StoreJob const job = [&](StoreTransaction& rows) -> Result<void> {
        auto const restored = rows.get_meta(std::string(restored_mark));
        if (!restored || !*restored || (*restored)->empty()) {
            return restored ? Result<void>{} : fail(restored.error());
        }
        auto const count = rows.quarantine_all(clock.now());
        if (!count) {
            return fail(count.error());
        }
        held = *count;
        return last ? rows.put_meta(std::string(restored_mark), "") : Result<void>{};
    };
    auto const ran = co_await vault->transact(job);
    if (held > 0) {
        log(LogLevel::warning, "restored",
            "The folder comes from a backup: its connections are held back until they are "
            "released. See docs/operations.md, Restore.",
            {{"connections", held}});
    }
    co_return ran;
}

Task<void> Gateway::Parts::keep_house() {
    Time last = clock.now();
    while (!stopping) {
        co_await timers.sleep_for(1s);  // short, so that a stop is noticed
        Time const now = clock.now();
        spool->trim(now);  // notes what the database holds, so that a crash replays little
        if (now - last < housekeeping_every) {
            continue;
        }
        last = now;
        if (auto const swept = co_await login->sweep(); !swept) {
            log(LogLevel::warning, "sweep_failed", swept.error().message(),
                {{"code", swept.error().name()}});
        }
    }
}

void Gateway::Parts::add_shutdown_steps() {
    runtime.on_shutdown("listeners", [this]() -> Task<void> {
        operations->set_ready(false);
        // Before the listeners drain, which takes seconds: a claim now could not be finished.
        scheduler->stop();
        rotation->stop();
        refresher->stop_claiming();
        stopping = true;
        if (server) {
            co_await server->drain(drain_grace);
        }
    });
    runtime.on_shutdown("proxy", [this]() -> Task<void> { return stop_proxy(); });
    runtime.on_shutdown("refreshes", [this]() -> Task<void> {
        // What is in the air is finished: an answer that comes must be kept.
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
    auto const fresh = load_config(options.reread(), &loaded);
    if (!fresh) {
        log(LogLevel::error, "reload_refused",
            "The configuration has errors; what was loaded stays: " + fresh.error().front());
        return;
    }
    set_up_log(level_of(fresh->config.log.level), format_of(fresh->config.log.format));
    if (tls_files) {
        if (auto const read = tls_files->load(); !read) {
            log(LogLevel::error, "certificate_refused",
                "The certificate cannot be used; the one before goes on. " +
                    read.error().message());
        } else {
            log(LogLevel::info, "certificate_reloaded", "The certificate was read again.");
        }
    }
    auto const changed = changed_settings(loaded, *fresh);
    log(LogLevel::info, "reloaded", "The log's level and format were read again.",
        {{"level", fresh->config.log.level}});
    if (!changed.empty()) {
        log(LogLevel::warning, "restart_needed",
            "These settings have changed and are read at the start only.", {{"settings", changed}});
    }
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
    if (parts->clock.now() < first_day) {
        return fail(ErrorCode::config_invalid, "This machine's clock says " +
                                                   to_rfc3339(parts->clock.now()) +
                                                   ": set it (NTP) and start again.");
    }
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
    auto const lent = co_await parts.capabilities->load();
    if (!lent) {
        co_return lent;
    }
    if (parts.settings.demo) {
        auto const made = co_await parts.make_demo_key();
        if (!made) {
            co_return made;
        }
    }
    auto const resumed = co_await parts.rotation->resume();
    if (!resumed) {
        co_return resumed;
    }
    auto const recovered = co_await parts.recover();
    if (!recovered) {
        co_return recovered;
    }
    auto const held_back = co_await parts.hold_back_restored();
    if (!held_back) {
        co_return held_back;
    }
    if (!parts.options.listen) {
        co_return Result<void>{};
    }
    auto const executor = co_await boost::asio::this_coro::executor;
    spawn(executor, parts.scheduler->run());
    spawn(executor, parts.governor->run());
    parts.proxy->start();
    spawn(executor, parts.keep_house());
    spawn(executor, parts.rotation->reseal());  // what a crash cut off
    if (parts.settings.demo && !parts.private_address.empty()) {
        parts.settings.demo->api_url = "http://" + parts.private_address;
    }
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
         {"sandbox", parts.settings.demo ? parts.settings.demo->sandbox : ""}});
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
Result<bool> Gateway::serves_without_app() const {
    auto const& all = parts_->registrations;
    auto const serves = [&](Connection const& row) {
        return row.state != ConnectionState::disconnected &&
               std::any_of(all.begin() + 1, all.end(),
                           [&](auto const& own) { return own->id == row.registration; });
    };
    ConnectionFilter filter;
    bool found = false;
    bool more = true;
    StoreJob const look = [&](StoreTransaction& store) -> Result<void> {
        auto const rows = store.list_connections(filter);
        if (!rows) {
            return fail(rows.error());
        }
        found = std::ranges::any_of(*rows, serves);
        more = !found && rows->size() == filter.limit;
        filter.after = rows->empty() ? "" : rows->back().id.value();
        return {};
    };
    while (more) {
        if (auto const looked = parts_->store->transact_one(look); !looked) {
            return fail(looked.error());
        }
    }
    return found;
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
    auto const answer = [](Parts& parts, ServerRequest const& asked,
                           std::promise<ServerResponse>& out) -> Task<void> {
        out.set_value(co_await parts.handle(asked));
    };
    auto future = promise.get_future();
    spawn(parts_->runtime.control(), answer(*parts_, request, promise));
    return future.get();
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "app/gateway.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "net/task_group.h"

namespace brickgate::cli {

namespace {

Task<void> start(Gateway& gateway, Runtime& runtime, std::optional<Error>& failure) {
    auto const started = co_await gateway.start();
    if (started) {
        co_return;
    }
    failure = started.error();
    runtime.request_stop();
}

std::vector<std::string> nothing_to_serve(std::string const& folder) {
    return {as_typed(
        "CLIENT_ID is not set, and no connection was made at a terminal (data folder " + folder +
        "): put CLIENT_ID, CLIENT_SECRET and DATABRICKS_HOST into the environment or "
        "into .env, or sign in with brickgate login HOST. Without a Databricks "
        "account: brickgate demo")};
}

}  // namespace

int run_serve(Common const& common) {
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    std::string const listen = loaded->config.server.listen;
    std::string const redirect = loaded->config.databricks.redirect_uri;
    std::string const folder = loaded->config.data.dir;
    bool const has_app = !loaded->config.databricks.client_id.empty();
    if (!has_app && !has_vault(loaded->config) && !daemon_runs(loaded->config)) {
        return complain(nothing_to_serve(folder));
    }
    if (!has_app) {
        loaded->warnings.emplace_back(
            "CLIENT_ID is not set: the connections that were made at a terminal are served, and "
            "nobody can sign in in a browser");
    }
    Runtime runtime(RuntimeOptions{.http_threads = loaded->config.server.threads});
    GatewayOptions options;
    options.reread = [common] {
        std::vector<std::string> ignored;
        return read_sources(common.flags, common.config_file, ignored).value_or(ConfigSources{});
    };
    auto gateway = Gateway::create(std::move(*loaded), std::move(options), runtime);
    if (!gateway && gateway.error().code() == ErrorCode::address_in_use) {
        return complain(
            Error(ErrorCode::address_in_use, gateway.error().message())
                .with_hint(
                    "Stop the program that holds " + listen +
                    ", or choose another port with --listen" +
                    (has_app ? "; then the redirect URI " + redirect +
                                   " must change with it, here (REDIRECT_URI) and in the account "
                                   "console."
                             : ".")));
    }
    if (!gateway && gateway.error().code() == ErrorCode::in_use) {
        return complain(Error(ErrorCode::in_use, gateway.error().message())
                            .with_hint("If that is a gateway, it serves this folder already: "
                                       "brickgate connections list asks it. To start it anew, end "
                                       "that process first."));
    }
    if (!gateway) {
        return complain(gateway.error());
    }
    if (!has_app) {
        auto const serves = (*gateway)->serves_without_app();
        if (!serves) {
            return complain(serves.error());
        }
        if (!*serves) {
            return complain(nothing_to_serve(folder));
        }
    }
    std::optional<Error> failure;
    spawn(runtime.control(), start(**gateway, runtime, failure));
    runtime.run();
    gateway->reset();
    if (failure) {
        return complain(*failure);
    }
    log(LogLevel::info, "stopped", "Everything that was in the air is kept.");
    return Exit::ok;
}

}  // namespace brickgate::cli

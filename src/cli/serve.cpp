// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "app/gateway.h"
#include "base/log.h"
#include "cli/command.h"
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

}  // namespace

int run_serve(Common const& common) {
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    std::string const listen = loaded->config.server.listen;
    std::string const redirect = loaded->config.databricks.redirect_uri;
    if (loaded->config.databricks.client_id.empty()) {
        return complain(
            std::vector<std::string>{"CLIENT_ID is not set: put CLIENT_ID, CLIENT_SECRET and "
                                     "DATABRICKS_HOST into the environment or into .env. "
                                     "Without a Databricks account: brickgate demo"});
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
                    ", or choose another port with --listen; then the redirect URI " + redirect +
                    " must change with it, here (REDIRECT_URI) and in the account console."));
    }
    if (!gateway) {
        return complain(gateway.error());
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

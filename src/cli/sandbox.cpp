// SPDX-License-Identifier: Apache-2.0
#include "sandbox/sandbox.h"

#include <algorithm>

#include "base/log.h"
#include "cli/command.h"
#include "cli/sandbox_server.h"

namespace brickgate::cli {

std::string origin_of_listener(std::string_view address) {
    auto const colon = std::min(address.rfind(':'), address.size());
    std::string_view const host = address.substr(0, colon);
    std::string_view const reached = host == "0.0.0.0" ? "127.0.0.1"
                                     : host == "[::]"  ? "[::1]"
                                                       : host;
    return "http://" + std::string(reached) + std::string(address.substr(colon));
}

SandboxServer::SandboxServer(Runtime& runtime) : runtime_(runtime) {}

Result<std::string> SandboxServer::listen(std::string const& address,
                                          std::vector<sandbox::App> apps, std::string state_file,
                                          std::string const& origin) {
    ServerOptions options;
    options.executors = runtime_.workers();
    options.handler = [this](ServerRequest const& request) { return sandbox_->handle(request); };
    server_ = std::make_unique<HttpServer>(std::move(options), clock_);
    auto bound = server_->listen_tcp(ListenerKind::both, address);
    if (!bound) {
        return bound;
    }
    origin_ = origin.empty() ? origin_of_listener(*bound) : origin;
    sandbox::SandboxOptions sandbox_options{origin_, std::move(apps), std::move(state_file)};
    sandbox_ = std::make_unique<sandbox::Sandbox>(std::move(sandbox_options), runtime_.control(),
                                                  clock_, random_, timers_);
    server_->start();
    runtime_.on_shutdown("sandbox", [this]() -> Task<void> {
        sandbox_->stop();  // what is held or delayed would be waited for
        co_await server_->drain(std::chrono::seconds(1));
    });
    return origin_;
}

int run_sandbox(SandboxCommand const& options) {
    set_up_log(LogLevel::info, LogFormat::automatic);
    Runtime runtime(RuntimeOptions{.http_threads = 1});
    SandboxServer server(runtime);
    sandbox::App app{
        options.client_id, options.client_secret, options.redirect_uris,
        options.client_id == SandboxCommand().client_id ? "Brickgate demo" : options.client_id};
    auto const origin =
        server.listen(options.listen, {std::move(app), sandbox::databricks_cli_app()},
                      options.state_file, options.origin);
    if (!origin && origin.error().code() == ErrorCode::address_in_use) {
        return complain(Error(ErrorCode::address_in_use, origin.error().message())
                            .with_hint("Choose another address with --listen, or end the program "
                                       "that has this one."));
    }
    if (!origin) {
        return complain(origin.error());
    }
    log(LogLevel::info, "ready", "The practice Databricks answers.", {{"sandbox", *origin}});
    runtime.run();
    return Exit::ok;
}

}  // namespace brickgate::cli

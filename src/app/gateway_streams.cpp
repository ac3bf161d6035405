// SPDX-License-Identifier: Apache-2.0
// Who streams, and how those who wait are let go.
#include "app/gateway_parts.h"
#include "net/error_response.h"

namespace brickgate {

void Gateway::Parts::open_streams() {
    TokenWatchRoutes::Parts watch_parts{settings,
                                        *refresher,
                                        *token_watch,
                                        *keys,
                                        runtime.control(),
                                        clock,
                                        metrics,
                                        [this](ServerRequest const& request) {
                                            return door->refuse_guess(request); }};
    token_watch_routes = std::make_unique<TokenWatchRoutes>(std::move(watch_parts));
    token_watch_routes->add_to(streams);
    proxy_routes->add_to(streams);
}

void Gateway::Parts::stream_with(ServerOptions& server_options) {
    server_options.streams = [this](ServerRequest const& request) {
        return streams.takes(request);
    };
    server_options.stream = [this](Exchange& exchange) { return stream(exchange); };
    // Before the listeners' step, which waits for all answers.
    runtime.on_shutdown("watchers", [this] { return release_watchers(); });
}

Task<void> Gateway::Parts::stream(Exchange& exchange) {
    if (auto const refused = door->refuse(exchange.request())) {
        auto response = error_response(*refused);
        (void)co_await exchange.answer(std::move(response));
        co_return;
    }
    co_await streams.handle(exchange);
}

Task<void> Gateway::Parts::release_watchers() {
    token_watch->stop();
    co_return;
}

}  // namespace brickgate

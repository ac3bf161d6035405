// SPDX-License-Identifier: Apache-2.0
#include "server/streams.h"

#include "net/error_response.h"

namespace brickgate {

void Streams::add(Takes takes, StreamHandler handler) {
    streamers_.emplace_back(std::move(takes), std::move(handler));
}

StreamHandler const* Streams::find(ServerRequest const& request) const {
    for (auto const& [takes, handler] : streamers_) {
        if (takes(request)) {
            return &handler;
        }
    }
    return nullptr;
}

bool Streams::takes(ServerRequest const& request) const {
    return find(request) != nullptr;
}

Task<void> Streams::handle(Exchange& exchange) const {
    if (auto const* const handler = find(exchange.request())) {
        co_await (*handler)(exchange);
        co_return;
    }
    auto nobody = error_response(Error(ErrorCode::not_found, "There is nothing here."));
    (void)co_await exchange.answer(std::move(nobody));
}

}  // namespace brickgate

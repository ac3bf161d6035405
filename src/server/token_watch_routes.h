// SPDX-License-Identifier: Apache-2.0
#pragma once
// The next token of a connection, as soon as there is one: a long poll and server-sent events.
//   GET /v1/connections/{id}/token?wait=GENERATION[&timeout=SECONDS][&min_valid=SECONDS]
//   GET /v1/connections/{id}/token/events
// Both need token:read, asked again whenever there is something to hand out, so that a key that was
// revoked ends them; and they end when their client leaves. How many may wait is TokenWatch's
// bound. Any session's thread; tokens are asked for on the control executor.
#include <functional>
#include <optional>
#include <string>

#include "net/metrics.h"
#include "server/settings.h"
#include "server/streams.h"
#include "tokens/token_source.h"
#include "tokens/token_watch.h"
#include "vault/api_keys.h"

namespace brickgate {

class TokenWatchRoutes {
 public:
    struct Parts {
        ServerSettings const& settings;
        TokenSource& tokens;
        TokenWatch& watch;
        ApiKeys& keys;
        Executor control;
        Clock& clock;
        Metrics& metrics;
        // After an answer of 401 (Door::refuse_guess).
        std::function<std::optional<Error>(ServerRequest const&)> refuse_guess;
    };
    explicit TokenWatchRoutes(Parts parts);
    void add_to(Streams& streams);

 private:
    Task<void> poll(Exchange& exchange, ConnectionId id);
    Task<void> events(Exchange& exchange, ConnectionId id);
    Task<ServerResponse> next_token(Exchange& exchange, ConnectionId id);
    std::optional<ConnectionId> id_in(ServerRequest const& request, std::string_view tail) const;
    Task<Result<TokenView>> current(ConnectionId id, Seconds min_valid);
    Result<Caller> caller_of(ServerRequest const& request) const;
    Result<TokenWatch::Watcher> place_for(ServerRequest const& request, ConnectionId id,
                                          Executor home) const;
    std::string token_json(TokenView const& view) const;
    Task<std::optional<Error>> follow(Exchange& exchange, TokenWatch::Watcher& watcher,
                                      ConnectionId id, TokenView view);
    Task<bool> send(Exchange& exchange, std::string piece);

    Parts parts_;
};

// "0" to "18446744073709551615", and seconds from 0 to 300; 55 where none are given. Errors:
// invalid_request.
struct WaitWish {
    std::uint64_t generation = 0;
    Seconds limit{55};  // below the minute after which proxies give up on a silent answer
    Seconds min_valid{0};
    static Result<WaitWish> parse(std::string_view query);
};

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "server/token_watch_routes.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/secret.h"
#include "net/bridge.h"
#include "net/error_response.h"
#include "net/router.h"
#include "server/access.h"
#include "server/api_json.h"

namespace brickgate {

namespace {

constexpr Seconds longest_wait{300};
// Often enough for proxies that end what is silent for half a minute.
constexpr Seconds sign_of_life{15};

constexpr std::string_view event_header_lines =
    "Content-Type: text/event-stream\r\n"
    "Cache-Control: no-store\r\n"
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "X-Accel-Buffering: no\r\n";  // nginx in front would keep events back

// Digits and nothing else.
template <class Number>
std::optional<Number> number_in(std::string_view text) {
    Number value = 0;
    auto const* const end = text.data() + text.size();
    auto const [stopped, failed] = std::from_chars(text.data(), end, value);
    bool const whole = failed == std::errc() && stopped == end && text.front() != '-';
    return whole ? std::optional(value) : std::nullopt;
}

// No token will come of this grant any more, whoever waits.
bool is_the_end(ErrorCode code) {
    switch (code) {
        case ErrorCode::connection_unknown:
        case ErrorCode::connection_pending:
        case ErrorCode::reauth_required:
        case ErrorCode::session_only:
        case ErrorCode::quarantined:
        case ErrorCode::disconnected:
        case ErrorCode::unauthorized:
        case ErrorCode::forbidden:
            return true;
        default:
            return false;
    }
}

// A client that leaves frees its place at once, not when its time is up.
class WhileWaiting {
 public:
    WhileWaiting(Exchange& exchange, TokenWatch::Watcher& watcher) : exchange_(exchange) {
        exchange_.when_gone([&watcher] { watcher.leave(); });
    }
    ~WhileWaiting() { exchange_.when_gone({}); }
    WhileWaiting(WhileWaiting const&) = delete;
    WhileWaiting& operator=(WhileWaiting const&) = delete;

 private:
    Exchange& exchange_;
};

bool asks_to_wait(std::string_view query) {
    return query.starts_with("wait=") || query.find("&wait=") != std::string_view::npos;
}

}  // namespace

Result<WaitWish> WaitWish::parse(std::string_view query) {
    auto const fields = form_decode(query);
    if (!fields) {
        return fail(ErrorCode::invalid_request, "The query has a broken escape.");
    }
    WaitWish wish;
    auto const generation =
        number_in<std::uint64_t>(query_value(*fields, "wait").value_or(std::string()));
    if (!generation) {
        return fail(ErrorCode::invalid_request,
                    "wait is the generation of the token that you have: a number.");
    }
    wish.generation = *generation;
    if (auto const text = query_value(*fields, "timeout")) {
        auto const seconds = number_in<std::int64_t>(*text);
        if (!seconds || Seconds(*seconds) > longest_wait) {
            return fail(ErrorCode::invalid_request, "timeout is a number of seconds, 300 at most.");
        }
        wish.limit = Seconds(*seconds);
    }
    auto const min_valid = min_valid_of(query);
    if (!min_valid) {
        return fail(min_valid.error());
    }
    wish.min_valid = *min_valid;
    return wish;
}

TokenWatchRoutes::TokenWatchRoutes(Parts parts) : parts_(std::move(parts)) {
    auto& waiting = parts_.metrics.gauge("brickgate_token_watchers",
                                         "Long polls and event streams that wait for a token.");
    parts_.metrics.before_exposition(
        [&waiting, &watch = parts_.watch] { waiting.set(static_cast<double>(watch.watchers())); });
}

void TokenWatchRoutes::add_to(Streams& streams) {
    auto const add = [&](std::string_view method, std::string_view pattern, Streams::Takes fits,
                         Task<void> (TokenWatchRoutes::*handler)(Exchange&, ConnectionId)) {
        std::string const tail(pattern.substr(pattern.find('}') + 1));
        auto takes = [this, method, tail, fits = std::move(fits)](ServerRequest const& request) {
            return request.path.ends_with(tail) && request.method == method && fits(request) &&
                   id_in(request, tail).has_value();
        };
        streams.add(std::move(takes), [this, tail, handler](Exchange& exchange) {
            auto id = id_in(exchange.request(), tail).value_or(ConnectionId());
            return (this->*handler)(exchange, std::move(id));
        });
    };
    add(
        "GET", "/v1/connections/{id}/token",
        [](ServerRequest const& request) { return asks_to_wait(request.query); },
        &TokenWatchRoutes::poll);
    add(
        "GET", "/v1/connections/{id}/token/events", [](ServerRequest const&) { return true; },
        &TokenWatchRoutes::events);
}

// Programs of this machine need not know which base path browsers see.
std::optional<ConnectionId> TokenWatchRoutes::id_in(ServerRequest const& request,
                                                    std::string_view tail) const {
    constexpr std::string_view before = "/v1/connections/";
    auto path = request.path;
    auto const& base = parts_.settings.base_path;
    bool const based = !base.empty() && path.starts_with(base + "/");
    bool const own = request.listener == ListenerKind::private_ ||
                     request.listener == ListenerKind::local_socket || base.empty();
    if (request.listener == ListenerKind::public_ || !(based || own)) {
        return std::nullopt;
    }
    path.remove_prefix(based ? base.size() : 0);
    if (!path.starts_with(before) || path.size() <= before.size() + tail.size()) {
        return std::nullopt;
    }
    auto const id = path.substr(before.size(), path.size() - before.size() - tail.size());
    // An id needs no escapes; what has some goes the Router's way, which knows what to refuse.
    if (id.find_first_of("/%") != std::string_view::npos) {
        return std::nullopt;
    }
    return ConnectionId(std::string(id));
}

Result<Caller> TokenWatchRoutes::caller_of(ServerRequest const& request) const {
    return authorize(request, parts_.keys, right_token);
}

// Of who may have one. Guessing is slowed down here as elsewhere (T49).
Result<TokenWatch::Watcher> TokenWatchRoutes::place_for(ServerRequest const& request,
                                                        ConnectionId id, Executor home) const {
    auto const caller = caller_of(request);
    if (!caller) {
        auto guesses = caller.error().code() == ErrorCode::unauthorized
                           ? parts_.refuse_guess(request)
                           : std::nullopt;
        return fail(guesses ? std::move(*guesses) : caller.error());
    }
    bool const own = request.listener == ListenerKind::local_socket;
    return parts_.watch.watch(std::move(id), home, own ? std::string() : caller->key_id);
}

Task<Result<TokenView>> TokenWatchRoutes::current(ConnectionId id, Seconds min_valid) {
    TokenWish wish;
    wish.min_valid = min_valid;
    auto task = parts_.tokens.token(std::move(id), wish);
    co_return co_await run_on(parts_.control, std::move(task));
}

std::string TokenWatchRoutes::token_json(TokenView const& view) const {
    std::string body;
    view.access_token.expose([&](std::string_view text) {
        write_token_json(body,
                         {text, view.token_type, view.fingerprint, view.scopes, view.workspace,
                          view.expires_at, view.generation, view.session_only},
                         parts_.clock.now());
    });
    return body;
}

Task<void> TokenWatchRoutes::poll(Exchange& exchange, ConnectionId id) {
    auto response = co_await next_token(exchange, std::move(id));
    (void)co_await exchange.answer(std::move(response));
}

Task<ServerResponse> TokenWatchRoutes::next_token(Exchange& exchange, ConnectionId id) {
    auto const& request = exchange.request();
    auto const home = co_await boost::asio::this_coro::executor;
    auto watcher = place_for(request, id, home);
    if (!watcher) {
        co_return error_response(watcher.error());
    }
    auto const wish = WaitWish::parse(request.query);
    if (!wish) {
        co_return error_response(wish.error());
    }
    WhileWaiting const waiting(exchange, *watcher);
    Instant const end = parts_.clock.steady() + wish->limit;
    for (;;) {
        auto const view = co_await current(id, wish->min_valid);
        auto const allowed = caller_of(request);
        if (!view || !allowed) {
            co_return error_response(allowed ? view.error() : allowed.error());
        }
        if (view->generation > wish->generation) {
            co_return json_response(200, token_json(*view));
        }
        Milliseconds const left = end - parts_.clock.steady();
        auto const woken = co_await watcher->wait(std::max(left, Milliseconds(0)));
        if (woken == TokenWatch::Woken::time_up || woken == TokenWatch::Woken::left) {
            co_return json_response(204, {});
        }
        if (woken == TokenWatch::Woken::stopping) {
            co_return error_response(Error(ErrorCode::shutting_down, "The gateway is stopping.")
                                         .with_retry_after(Seconds(1)));
        }
    }
}

Task<void> TokenWatchRoutes::events(Exchange& exchange, ConnectionId id) {
    auto const home = co_await boost::asio::this_coro::executor;
    std::optional<Error> refused;
    std::optional<TokenWatch::Watcher> watcher;
    std::optional<TokenView> view;
    if (auto place = place_for(exchange.request(), id, home); !place) {
        refused = place.error();
    } else {
        watcher.emplace(std::move(*place));
        auto found = co_await current(id, Seconds(0));
        if (found) {
            view = std::move(*found);
        } else {
            refused = found.error();
        }
    }
    if (refused) {
        auto response = error_response(*refused);
        (void)co_await exchange.answer(std::move(response));
        co_return;
    }
    exchange.begin(200, event_header_lines, std::nullopt);
    auto const over = co_await follow(exchange, *watcher, std::move(id), std::move(*view));
    if (over) {
        std::string last = "event: end\ndata: " + error_body(*over) + "\n\n";
        bool const told = co_await send(exchange, std::move(last));
        if (!told) {
            co_return;
        }
    }
    (void)co_await exchange.finish();
}

// Until the grant is over, which is the answer; nothing, where the client or the gateway goes.
Task<std::optional<Error>> TokenWatchRoutes::follow(Exchange& exchange,
                                                    TokenWatch::Watcher& watcher, ConnectionId id,
                                                    TokenView view) {
    auto const last_seen = exchange.request().header("Last-Event-ID");
    auto told = number_in<std::uint64_t>(last_seen.value_or(std::string_view()));
    WhileWaiting const waiting(exchange, watcher);
    // With it the header leaves, whether there is a token to tell or not.
    std::string piece = ": the token now, and each that follows\n\n";
    for (;;) {
        if (told != view.generation) {
            piece += "event: token\nid: " + std::to_string(view.generation) + "\ndata: ";
            std::string body = token_json(view);
            piece += body + "\n\n";
            wipe(body);
            told = view.generation;
        }
        if (!piece.empty()) {
            bool const sent = co_await send(exchange, std::exchange(piece, {}));
            if (!sent) {
                co_return std::nullopt;
            }
        }
        auto const woken = co_await watcher.wait(sign_of_life);
        if (woken == TokenWatch::Woken::stopping || woken == TokenWatch::Woken::left) {
            co_return std::nullopt;
        }
        if (woken == TokenWatch::Woken::time_up) {
            piece = ": still here\n\n";
        }
        if (auto const allowed = caller_of(exchange.request()); !allowed) {
            co_return allowed.error();
        }
        // A token without a successor ends without anybody's doing.
        bool const stale = parts_.clock.now() >= view.expires_at;
        if (woken == TokenWatch::Woken::time_up && !stale) {
            continue;
        }
        auto next = co_await current(id, Seconds(0));
        if (next) {
            view = std::move(*next);
        } else if (is_the_end(next.error().code())) {
            co_return next.error();
        }
    }
}

Task<bool> TokenWatchRoutes::send(Exchange& exchange, std::string piece) {
    bool const sent = co_await exchange.write(piece);
    wipe(piece);
    co_return sent;
}

}  // namespace brickgate

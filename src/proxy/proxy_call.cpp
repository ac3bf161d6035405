// SPDX-License-Identifier: Apache-2.0
#include "proxy/proxy_call.h"

#include <algorithm>
#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/system/system_error.hpp>
#include <charconv>

#include "net/bridge.h"
#include "net/error_response.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
// What may be sent twice is kept in memory (T47).
constexpr std::size_t replay_bytes_max = 256 * 1024;
constexpr std::size_t usual_head_bytes = 1024;
constexpr std::array<std::string_view, 6> methods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

bool is_json(ServerRequest const& request) {
    return media_type(request.header("Content-Type").value_or("")) == "application/json";
}

void append_chunk(std::string& out, std::string_view piece) {
    char digits[16];
    auto const end = std::to_chars(std::begin(digits), std::end(digits), piece.size(), 16).ptr;
    out.assign(std::begin(digits), end);
    out.append("\r\n").append(piece).append("\r\n");
}

TransportError caller_gone(Sent sent) {
    return {Error(ErrorCode::request_aborted, "The caller has gone."), sent};
}

}  // namespace

ProxyCall::ProxyCall(Proxy& proxy, Proxy::Worker& worker, Exchange& exchange,
                     ConnectionId connection, std::string target, Proxy::StillAllowed still_allowed)
    : proxy_(proxy),
      still_allowed_(std::move(still_allowed)),
      parts_(proxy.parts_),
      worker_(worker),
      pool_(worker.pool),
      exchange_(exchange),
      connection_(std::move(connection)),
      raw_target_(std::move(target)),
      method_(exchange.request().method),
      began_(parts_.clock.steady()),
      checked_(began_) {
    exchange_.each_second([this] { look(); });
}

ProxyCall::~ProxyCall() {
    exchange_.when_gone({});
    exchange_.each_second({});
    wipe(authorization_);
    wipe(head_);
    wipe(body_);
}

Task<void> ProxyCall::run() {
    if (std::ranges::find(methods, method_) == methods.end()) {
        auto response = error_response(
            Error(ErrorCode::method_not_allowed, "Databricks' API does not take this method."));
        response.headers.add("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE");
        (void)co_await exchange_.answer(std::move(response));
        co_return;
    }
    auto target = check_target(raw_target_);
    if (!target) {
        co_await refuse(target.error());
        co_return;
    }
    target_ = std::move(*target);
    body_whole_ = exchange_.body_length() == 0;
    if (!body_whole_) {
        bool const body_fine = co_await read_body_ahead();
        if (!body_fine) {
            co_return;
        }
    }
    exchange_.when_gone([this] { cut(); });
    for (;;) {
        if (!take_token()) {
            auto const token = co_await get_token(std::nullopt);
            if (!token) {
                co_await refuse(token.error());
                co_return;
            }
        }
        if (!take_turn()) {
            bool const my_turn = co_await wait_for_turn();
            if (!my_turn) {
                co_return;
            }
        }
        if (is_over()) {
            co_await end_early();
            co_return;
        }
        attempts_ += 1;
        Attempt made = co_await attempt();
        Next const next = co_await judge(made);
        in_use_ = nullptr;
        if (next != Next::again) {
            co_return;
        }
    }
}

// Once a second, from outside: what waits or runs for a right that has ended is stopped.
void ProxyCall::look() {
    if (ended_) {
        return;
    }
    auto allowed = still_allowed_();
    if (allowed) {
        return;
    }
    ended_ = std::move(allowed.error());
    if (exchange_.begun() || !body_whole_) {
        exchange_.cut();
    }
    cut();
}

void ProxyCall::cut() {
    stop_waiting_.emit(boost::asio::cancellation_type::terminal);
    if (in_use_) {
        in_use_->abandon();
    }
}

// Before anything leaves. Asked anew only where time has passed since it was asked: a call that
// waits for nothing is not looked at twice.
bool ProxyCall::is_over() {
    Instant const now = parts_.clock.steady();
    if (now != checked_) {
        checked_ = now;
        look();
        return ended_ || exchange_.is_gone();
    }
    return ended_.has_value();
}

// False: it was cut short, because the caller has left or may no more.
Task<bool> ProxyCall::waited(Task<void> wait) {
    auto const executor = co_await boost::asio::this_coro::executor;
    try {
        co_await boost::asio::co_spawn(
            executor, std::move(wait),
            boost::asio::bind_cancellation_slot(stop_waiting_.slot(), use_task));
    } catch (boost::system::system_error const&) {
        co_return false;
    }
    co_return true;
}

// Who has left hears nothing; who may no more hears that, unless an answer has begun.
Task<void> ProxyCall::end_early() {
    bool const can_hear = ended_ && body_whole_ && !exchange_.begun() && !exchange_.is_gone();
    if (!can_hear) {
        exchange_.abort();
        co_return;
    }
    co_await refuse(*ended_, attempts_ > 0);
}

// False: answered, or the caller has gone.
Task<bool> ProxyCall::read_body_ahead() {
    auto const length = exchange_.body_length();
    if (length && *length > replay_bytes_max) {
        co_return true;  // streamed, and sent once
    }
    for (;;) {
        auto const piece = co_await exchange_.read_body();
        if (!piece) {
            if (piece.error().code() == ErrorCode::invalid_request) {
                co_await refuse(piece.error());
            } else {
                exchange_.abort();
            }
            co_return false;
        }
        if (piece->empty()) {
            body_whole_ = true;
            break;
        }
        body_ += *piece;
        if (body_.size() > replay_bytes_max) {
            co_return true;  // chunked and long: what is here goes first
        }
    }
    has_idempotency_token_ = method_ == "POST" && !body_.empty() && is_json(exchange_.request()) &&
                             body_has_idempotency_token(body_);
    co_return true;
}

bool ProxyCall::take_turn() {
    admission_ =
        parts_.governor.try_admit(workspace_, method_, target_.path(), connection_.value());
    return admission_.has_value();
}

Task<bool> ProxyCall::wait_for_turn() {
    std::optional<Result<Admission>> admitted;
    auto turn = parts_.governor.admit(workspace_, method_, std::string(target_.path()),
                                      connection_.value());
    bool const came = co_await waited(detail::keep_result(std::move(turn), admitted));
    if (!came || !admitted) {
        co_await end_early();
        co_return false;
    }
    if (!*admitted) {
        co_await refuse(admitted->error());
        co_return false;
    }
    admission_ = std::move(**admitted);
    co_return true;
}

// An expired token is never sent: the cache gives none, and the source refreshes first.
bool ProxyCall::take_token() {
    bool const in_memory = parts_.cache.use(
        connection_, parts_.clock.now(), Seconds(0),
        [this](CachedToken const& token, std::string_view text) {
            keep_token(text, token.workspace, token.workspace_id, token.generation);
        });
    return in_memory && origin_;
}

void ProxyCall::keep_token(std::string_view token, std::string_view workspace,
                           std::string_view workspace_id, std::uint64_t generation) {
    constexpr std::string_view name = "Authorization: Bearer ";
    wipe(authorization_);
    authorization_.reserve(name.size() + token.size() + 2);
    authorization_.append(name).append(token).append("\r\n");
    workspace_ = workspace;
    workspace_id_ = workspace_id;
    generation_ = generation;
    origin_ = proxy_.origin_of(worker_, workspace_);
}

Task<Result<void>> ProxyCall::get_token(std::optional<std::uint64_t> newer_than) {
    TokenWish wish;
    wish.newer_than = newer_than;
    auto task = parts_.tokens.token(connection_, wish);
    auto const view = co_await run_on(parts_.control, std::move(task));
    if (!view) {
        co_return fail(view.error());
    }
    view->access_token.expose([&](std::string_view text) {
        keep_token(text, view->workspace, view->workspace_id, view->generation);
    });
    if (!origin_) {
        co_return fail(ErrorCode::host_misconfigured, "The connection's workspace is no address.");
    }
    co_return Result<void>{};
}

Result<void> ProxyCall::make_head() {
    wipe(head_);
    head_.reserve(target_.raw.size() + authorization_.size() + usual_head_bytes);
    head_.append(method_).append(" ").append(target_.raw).append(" HTTP/1.1\r\nHost: ");
    head_.append(origin_->authority()).append("\r\n").append(authorization_);
    // The caller's own word for the workspace is not passed (T38).
    auto const appended =
        append_request_headers(head_, exchange_.request().headers, parts_.headers, workspace_id_);
    if (!appended) {
        return appended;
    }
    auto const length = exchange_.body_length();
    bool const may_have_body = method_ != "GET" && method_ != "HEAD";
    if (body_whole_ && (!body_.empty() || may_have_body)) {
        head_ += "Content-Length: " + std::to_string(body_.size()) + "\r\n";
    } else if (!body_whole_ && length) {
        head_ += "Content-Length: " + std::to_string(*length) + "\r\n";
    } else if (!body_whole_) {
        head_ += "Transfer-Encoding: chunked\r\n";
    }
    head_ += "\r\n";
    return {};
}

Task<ProxyCall::Attempt> ProxyCall::attempt() {
    Attempt made;
    if (auto const head = make_head(); !head) {
        made.failure = TransportError{head.error(), Sent::not_sent};
        co_return made;
    }
    auto acquired = co_await pool_.acquire(*origin_, attempts_ > 1);
    if (!acquired) {
        made.failure = std::move(acquired.error());
        co_return made;
    }
    made.connection = std::move(*acquired);
    if (is_over()) {  // while we connected
        made.failure = caller_gone(Sent::not_sent);
        co_return made;
    }
    in_use_ = made.connection.get();
    made.failure = co_await send(*made.connection);
    if (made.failure) {
        co_return made;
    }
    // A caller that leaves ends its call; while its body still comes, reading that tells.
    exchange_.when_gone([this] { cut(); });
    auto head = co_await made.connection->receive_head(method_ == "HEAD");
    if (!head) {
        made.failure = std::move(head.error());
        co_return made;
    }
    made.head = *head;
    co_return made;
}

Task<std::optional<TransportError>> ProxyCall::send(UpstreamConnection& connection) {
    bool const chunked = !body_whole_ && !exchange_.body_length();
    std::string first;
    if (chunked && !body_.empty()) {
        append_chunk(first, body_);
    }
    auto const sent = co_await connection.send(head_, chunked ? first : body_);
    if (!sent) {
        co_return sent.error();
    }
    if (body_whole_ || connection.answered_early()) {
        co_return std::nullopt;
    }
    co_return co_await send_rest(connection);
}

Task<std::optional<TransportError>> ProxyCall::send_rest(UpstreamConnection& connection) {
    bool const chunked = !exchange_.body_length();
    std::string chunk;
    for (;;) {
        auto const piece = co_await exchange_.read_body();
        if (!piece) {
            co_return caller_gone(Sent::maybe_sent);
        }
        std::string_view bytes = *piece;
        bool const last = bytes.empty();
        if (chunked && last) {
            bytes = "0\r\n\r\n";
        } else if (chunked) {
            append_chunk(chunk, bytes);
            bytes = chunk;
        }
        auto const sent = co_await connection.send({}, bytes);
        if (!sent) {
            co_return sent.error();
        }
        if (last || connection.answered_early()) {
            co_return std::nullopt;
        }
    }
}

}  // namespace brickgate

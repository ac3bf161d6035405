// SPDX-License-Identifier: Apache-2.0
// The second half of a proxied call: what its answer means, and the way of it back to the caller.
#include <algorithm>

#include "base/log.h"
#include "net/error_response.h"
#include "proxy/proxy_call.h"
#include "proxy/rejection.h"

namespace brickgate {

using namespace std::chrono_literals;

// As much of a refusal as can be a message: it says whether the token was meant.
Task<void> ProxyCall::read_refusal(Attempt& made) {
    made.connection->give_in_all(pool_.limits().body_idle);
    while (!made.start_whole && made.start.size() < rejection_body_bytes_max) {
        auto const piece = co_await made.connection->read_body(pool_.limits().body_idle);
        if (!piece) {
            made.failure = TransportError{piece.error(), Sent::maybe_sent};
            co_return;
        }
        made.start_whole = piece->empty();
        made.start += *piece;
    }
    made.connection->give_in_all(std::nullopt);
}

Task<ProxyCall::Next> ProxyCall::judge(Attempt& made) {
    if (!made.failure) {
        int const status = made.head->status;
        bool const may_be_token = status == 400 || status == 401 || status == 403;
        if (may_be_token || status == 429 || status == 503) {
            co_await read_refusal(made);
        }
    }
    if (made.failure) {
        parts_.governor.observed(*admission_, 0, std::nullopt);
        bool const gone = made.failure->error.code() == ErrorCode::request_aborted;
        if (gone || ended_ || exchange_.is_gone()) {
            co_await end_early();
            co_return Next::ended;
        }
        co_return co_await again_after(made, std::nullopt);
    }
    int const status = made.head->status;
    if (ended_) {  // while the workspace answered
        parts_.governor.observed(*admission_, status, std::nullopt);
        co_await end_early();
        co_return Next::ended;
    }
    if (status < 400) {
        parts_.governor.observed(*admission_, status, std::nullopt);
        co_await relay(std::move(made), std::nullopt);
        co_return Next::ended;
    }
    auto const server_wait =
        server_wait_of(made.head->header("Retry-After"), made.start, parts_.clock.now());
    parts_.governor.observed(*admission_, status, server_wait);
    std::string said(made.head->header("x-databricks-reason-phrase").value_or(""));
    said.append("\n").append(made.start);
    auto const challenge = made.head->header("WWW-Authenticate").value_or("");
    if (judge_token(status, said, challenge) == TokenVerdict::rejected) {
        co_return co_await after_rejection(made);
    }
    co_return co_await again_after(made, server_wait);
}

// One refresh at most, decided by which token was refused; then one replay, if the body is here.
Task<ProxyCall::Next> ProxyCall::after_rejection(Attempt& made) {
    auto const current = parts_.cache.peek(connection_);
    bool const was_current = !current || current->generation <= generation_;
    bool const may_refresh = !was_current || !parts_.forced.refuse(connection_, generation_);
    if (token_replaced_ || !may_refresh) {
        co_await relay(std::move(made), std::nullopt);
        co_return Next::ended;
    }
    token_replaced_ = true;
    auto const renewed = co_await get_token(generation_);
    if (!renewed || !is_replayable()) {
        if (!renewed) {
            log(LogLevel::info, "proxy_token_rejected",
                "A workspace refused a token and no newer one is to be had.",
                {{"connection", connection_.value()}, {"code", renewed.error().name()}});
        }
        co_await relay(std::move(made), std::nullopt);
        co_return Next::ended;
    }
    retried_ += retried_.empty() ? "token_rejected" : ",token_rejected";
    proxy_.retries("token_rejected").add();
    co_return Next::again;
}

Task<ProxyCall::Next> ProxyCall::again_after(Attempt& made,
                                             std::optional<Milliseconds> server_wait) {
    RetryQuestion question;
    question.method = method_;
    question.path = target_.path();
    question.has_idempotency_token = has_idempotency_token_;
    question.replayable = is_replayable();
    question.status = made.failure ? 0 : made.head->status;
    question.sent_maybe = made.failure && made.failure->sent == Sent::maybe_sent;
    question.reused_connection = made.connection && made.connection->is_reused();
    question.attempt = attempts_;
    question.elapsed = parts_.clock.steady() - began_;
    question.server_wait = server_wait;
    question.dice = parts_.random.unit();
    auto const decision = parts_.retries.decide(question);
    bool const permanent =
        made.failure && (made.failure->error.code() == ErrorCode::egress_denied ||
                         made.failure->error.code() == ErrorCode::tls_failed ||
                         made.failure->error.code() == ErrorCode::invalid_request);
    if (decision.retry && !permanent) {
        retried_ += (retried_.empty() ? "" : ",") + std::string(decision.reason);
        proxy_.retries(decision.reason).add();
        in_use_ = nullptr;
        made.connection.reset();
        bool const rested = co_await waited(parts_.timers.sleep_for(decision.wait));
        if (rested) {
            co_return Next::again;
        }
        co_await end_early();
        co_return Next::ended;
    }
    if (made.failure) {
        co_await refuse(made.failure->error, question.sent_maybe);
        co_return Next::ended;
    }
    std::optional<Milliseconds> tell = server_wait;
    if (!tell && decision.wait > 0ms) {
        tell = decision.wait;
    }
    co_await relay(std::move(made), tell);
    co_return Next::ended;
}

std::string ProxyCall::report_lines() const {
    std::string out;
    if (attempts_ > 1) {
        out += "Brickgate-Attempts: " + std::to_string(attempts_) + "\r\n";
    }
    if (!retried_.empty()) {
        out += "Brickgate-Retried: " + retried_ + "\r\n";
    }
    return out;
}

Task<void> ProxyCall::relay(Attempt made, std::optional<Milliseconds> server_wait) {
    UpstreamHead const& head = *made.head;
    bool const asks_to_wait = head.status == 429 || head.status == 503;
    std::vector<HeaderField> others;
    if (asks_to_wait) {
        // Whole seconds and always there: the only form that every client of Databricks reads.
        std::ranges::remove_copy_if(head.fields, std::back_inserter(others),
                                    [](HeaderField const& field) {
                                        return equals_ignoring_case(field.name, "Retry-After");
                                    });
    }
    std::string lines;
    lines.reserve(1024);
    auto const fine = append_response_headers(lines, asks_to_wait ? others : head.fields);
    if (!fine) {
        co_await refuse(fine.error(), true);
        co_return;
    }
    if (asks_to_wait) {
        lines += "Retry-After: " + retry_after_seconds(server_wait.value_or(1s)) + "\r\n";
    }
    lines += report_lines();
    proxy_.count(head.status);
    exchange_.begin(head.status, lines, head.length);
    co_await relay_body(made);
    in_use_ = nullptr;
}

Task<void> ProxyCall::relay_body(Attempt& made) {
    UpstreamConnection& connection = *made.connection;
    auto const type = media_type(made.head->header("Content-Type").value_or(""));
    Seconds const idle =
        type == "text/event-stream" ? pool_.limits().events_idle : pool_.limits().body_idle;
    if (!made.start.empty()) {
        bool const out = co_await exchange_.write(made.start);
        if (!out) {
            co_return;
        }
    }
    bool const nothing_yet =
        made.start.empty() && !connection.has_piece() && !connection.body_done();
    if (nothing_yet) {
        bool const out = co_await exchange_.flush();  // the head does not wait for the body
        if (!out) {
            co_return;
        }
    }
    while (!made.start_whole) {
        auto const piece = co_await connection.read_body(idle);
        if (!piece) {
            if (ended_) {
                exchange_.abort();
                co_return;
            }
            log(LogLevel::warning, "proxy_answer_broken", piece.error().message(),
                {{"connection", connection_.value()}, {"code", piece.error().name()}});
            exchange_.abort();
            co_return;
        }
        if (piece->empty()) {
            break;
        }
        bool const out = co_await exchange_.write(*piece);
        if (!out) {
            co_return;  // the caller has gone; the rest is not worth reading
        }
    }
    in_use_ = nullptr;
    pool_.give_back(std::move(made.connection));
    (void)co_await exchange_.finish();
}

// Our own answer, where there is none to pass on.
Task<void> ProxyCall::refuse(Error error, bool may_be_done) {
    auto response = error_response(error);
    bool const repeatable = method_ == "GET" || method_ == "HEAD";
    if (may_be_done && !repeatable) {
        response.headers.add("Brickgate-Retryable", "0");  // it may have been executed
    }
    if (attempts_ > 1) {
        response.headers.add("Brickgate-Attempts", std::to_string(attempts_));
    }
    proxy_.count(response.status);
    (void)co_await exchange_.answer(std::move(response));
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "net/http_session.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "net/error_response.h"
#include "net/http_exchange.h"

namespace brickgate {

namespace {

using boost::system::error_code;

constexpr std::size_t output_bytes_first = 4 * 1024;
constexpr std::size_t output_bytes_kept = 64 * 1024;
constexpr std::size_t pipelined_output_max = 64 * 1024;
constexpr Seconds linger_time{2};
constexpr std::size_t linger_bytes_max = 512 * 1024;

Error internal_error() {
    return {ErrorCode::internal, "Something went wrong here."};
}

}  // namespace

Session::Session(StreamSocket socket, std::shared_ptr<Shard> shard, Peer peer)
    : wire_(std::move(socket)),
      shard_(std::move(shard)),
      peer_(std::move(peer)),
      in_(shard_->options->limits.header_bytes_max + shard_->options->limits.body_bytes_max +
          InputBuffer::bytes_first) {
    request_.peer_address = peer_.address;
    request_.peer_port = peer_.port;
    request_.listener = peer_.listener;
    request_.peer_uid = peer_.uid;
    parser_.emplace(shard_->options->limits);
    out_.reserve(output_bytes_first);
}

Session::~Session() {
    explicit_bzero(out_.data(), out_.size());
    shard_->session_ended(this);
}

Task<void> Session::run(std::shared_ptr<Session> self) {
    self->shard_->sessions.insert(self.get());
    bool const ready = co_await self->begin_tls();
    if (ready) {
        co_await self->serve();
    }
    self->close();
}

Task<bool> Session::begin_tls() {
    if (!peer_.tls) {
        co_return true;
    }
    give(Phase::reading, shard_->options->limits.handshake);
    if (!wire_.accept_tls(peer_.tls.get())) {
        co_return false;
    }
    auto const failed = co_await wire_.handshake();
    if (failed) {
        shard_->refused.fetch_add(1, std::memory_order_relaxed);
    }
    co_return !failed;
}

bool Session::expire() {
    if (shard_->second < deadline_) {
        return false;
    }
    bool const too_slow = phase_ == Phase::reading || phase_ == Phase::writing;
    close();
    return too_slow;
}

void Session::look_for_client() {
    if (exchange_) {
        exchange_->look_for_client();
    }
}

void Session::close() {
    suspend_deadline();
    wire_.close();
}

Task<void> Session::serve() {
    await_request();
    for (;;) {
        auto state = parser_->feed(in_.view());
        if (state == RequestParser::State::head) {
            parser_->fill(in_.view(), request_);
            if (shard_->options->streams && shard_->options->streams(request_)) {
                bool const go_on = co_await serve_stream();
                if (!go_on) {
                    co_return;
                }
                continue;
            }
            state = parser_->keep_body() ? parser_->feed(in_.view()) : RequestParser::State::failed;
        }
        if (state == RequestParser::State::need_more) {
            bool const more = co_await read_more();
            if (!more) {
                co_return;
            }
            continue;
        }
        if (state == RequestParser::State::failed) {
            refuse(parser_->fault());
        } else if (!answer_fast()) {
            bool const earlier_answers_out = co_await flush();
            if (!earlier_answers_out) {
                co_return;
            }
            ServerResponse const response = co_await handle();
            if (response.raw) {
                co_await send_raw(response.raw);
                co_return;
            }
            answer(response);
        }
        next_request();
        await_request();
        bool const pipelined = keep_alive_ && !in_.empty() && out_.size() < pipelined_output_max;
        if (pipelined) {
            continue;
        }
        bool const out = co_await flush();
        if (!out) {
            co_return;
        }
        if (!keep_alive_) {
            if (state == RequestParser::State::failed || !in_.empty()) {
                co_await linger();
            }
            co_return;
        }
    }
}

// False: the connection is over.
Task<bool> Session::serve_stream() {
    keep_alive_ = parser_->keep_alive();
    shard_->requests.fetch_add(1, std::memory_order_relaxed);
    bool const earlier_answers_out = co_await flush();
    if (!earlier_answers_out) {
        co_return false;
    }
    phase_ = Phase::handling;
    suspend_deadline();
    SessionExchange exchange(*this);
    try {
        co_await shard_->options->stream(exchange);
    } catch (std::exception const& e) {
        log(LogLevel::error, "handler_failed", "A handler threw.", {{"error", e.what()}});
    }
    if (!exchange.begun()) {
        (void)co_await exchange.answer(told(request_, internal_error()));
    }
    if (!exchange.complete()) {
        exchange.abort();
        co_return false;
    }
    if (!exchange.leave() || !keep_alive_) {
        co_await linger();
        co_return false;
    }
    parser_.emplace(shard_->options->limits);
    continued_ = false;
    await_request();
    co_return true;
}

// False: the connection is over.
Task<bool> Session::read_more() {
    if (parser_->wants_continue() && !continued_) {
        continued_ = true;
        out_ += "HTTP/1.1 100 Continue\r\n\r\n";
    }
    bool const answers_out = co_await flush();
    if (!answers_out || (shard_->draining && in_.empty())) {
        co_return false;
    }
    if (phase_ == Phase::writing) {
        await_request();
    }
    auto const [from, to] = parser_->take_chunk_bytes();
    if (from < to) {
        in_.drop(from, to);
    }
    auto const room = in_.room();
    if (room.empty()) {
        refuse(ErrorCode::headers_too_large);  // endless chunk header or trailer
        (void)co_await flush();
        co_await linger();
        co_return false;
    }
    error_code ec;
    std::size_t const got = co_await wire_.read_some(room, ec);
    if (ec) {
        co_return false;
    }
    ServerLimits const& limits = shard_->options->limits;
    if (in_.empty()) {
        give(Phase::reading, limits.header);
    } else if (parser_->header_size() > 0) {
        // A body is given time as it comes, never more than the slack ahead (T51).
        auto const most = shard_->second + limits.body_slack.count() + 1;
        auto const earned = static_cast<std::int64_t>(got / limits.slowest_bytes_per_second);
        deadline_ = std::min(most, std::max(deadline_, shard_->second) + earned);
    }
    in_.filled(got);
    co_return true;
}

bool Session::answer_fast() {
    parser_->fill(in_.view(), request_);
    keep_alive_ = parser_->keep_alive();
    shard_->requests.fetch_add(1, std::memory_order_relaxed);
    if (!shard_->options->fast) {
        return false;
    }
    ResponseBuffer response(out_, framing(), shard_->constant_lines);
    std::size_t const before = out_.size();
    try {
        if (!shard_->options->fast(request_, response)) {
            return false;
        }
    } catch (std::exception const& e) {
        log(LogLevel::error, "handler_failed", "A handler threw.", {{"error", e.what()}});
        out_.resize(before);
        response.send(told(request_, internal_error()));
    }
    keep_alive_ = response.keeps_alive();
    return true;
}

Task<ServerResponse> Session::handle() {
    phase_ = Phase::handling;
    suspend_deadline();  // handlers have limits of their own
    try {
        co_return co_await shard_->options->handler(request_);
    } catch (std::exception const& e) {
        log(LogLevel::error, "handler_failed", "A handler threw.", {{"error", e.what()}});
    }
    co_return told(request_, internal_error());
}

void Session::answer(ServerResponse const& response) {
    std::size_t const before = out_.size();
    ResponseBuffer buffer(out_, framing(), shard_->constant_lines);
    buffer.send(response);
    keep_alive_ = buffer.keeps_alive();
    if (response.cut_after) {
        out_.resize(std::min(out_.size(), before + *response.cut_after));
        keep_alive_ = false;
    }
}

Task<void> Session::send_raw(std::shared_ptr<RawAnswer const> raw) {
    SteadyTimer timer(shard_->executor);
    std::string_view const all = raw->bytes;
    std::string_view rest = all;
    while (!rest.empty()) {
        auto const piece = rest.substr(0, raw->piece);
        rest.remove_prefix(piece.size());
        out_ = piece;
        bool const out = co_await flush();
        if (!out) {
            co_return;
        }
        if (rest.empty() && raw->endless) {
            rest = all.substr(all.size() - std::min(all.size(), raw->piece));
        }
        if (!rest.empty()) {
            give(Phase::writing, shard_->options->limits.write_slack);
            timer.expires_after(raw->pause);
            error_code ignored;
            co_await timer.async_wait(boost::asio::redirect_error(use_task, ignored));
        }
    }
}

void Session::refuse(ErrorCode code) {
    shard_->refused.fetch_add(1, std::memory_order_relaxed);
    keep_alive_ = false;
    std::string message = "The request is not valid HTTP.";
    if (code != ErrorCode::invalid_request) {
        message = "The request is larger than this server takes.";
    }
    // request_ may still be the one before: what has come of this one is looked at anew.
    auto begun = begun_request(in_.view());
    begun.listener = request_.listener;
    ResponseBuffer buffer(out_, {.keep_alive = false}, shard_->constant_lines);
    buffer.send(told(begun, Error(code, std::move(message))));
}

ServerResponse Session::told(ServerRequest const& request, Error const& error) const {
    auto const& render = shard_->options->render;
    return render ? render(request, error) : error_response(error);
}

ResponseBuffer::Framing Session::framing() const {
    return {.head = request_.method == "HEAD",
            .keep_alive = keep_alive_ && !shard_->draining,
            .http_1_0 = parser_->is_http_1_0()};
}

void Session::next_request() {
    in_.consume(std::min(parser_->size(), in_.view().size()));
    parser_.emplace(shard_->options->limits);
    continued_ = false;
}

// What the kernel takes at once needs no coroutine.
Session::Written Session::write_now() {
    while (written_ < out_.size()) {
        error_code ec;
        std::size_t const sent = wire_.write_now(std::string_view(out_).substr(written_), ec);
        written_ += sent;
        if (ec == boost::asio::error::would_block) {
            return Written::blocked;
        }
        if (ec) {
            return Written::failed;
        }
    }
    explicit_bzero(out_.data(), out_.size());
    out_.clear();
    written_ = 0;
    if (out_.capacity() > output_bytes_kept) {
        out_.shrink_to_fit();
    }
    return Written::all;
}

Task<bool> Session::flush() {
    if (out_.empty()) {
        co_return true;
    }
    ServerLimits const& limits = shard_->options->limits;
    for (auto state = write_now(); state != Written::all; state = write_now()) {
        if (state == Written::failed) {
            co_return false;
        }
        if (phase_ != Phase::writing) {
            give(Phase::writing, limits.write_slack);
        }
        error_code ec;
        co_await wire_.writable(ec);
        if (ec) {
            co_return false;
        }
        // "Writable" means that the client has read a third of the kernel's buffer at least.
        give(Phase::writing, limits.write_slack);
    }
    co_return true;
}

// A socket closed with unread input sends a reset that can overtake the answer; so the answer is
// ended and what still comes is thrown away for a moment.
Task<void> Session::linger() {
    give(Phase::lingering, linger_time);
    wire_.shut_down_sending();
    std::array<char, 4096> trash;
    std::size_t total = 0;
    error_code ec;
    while (!ec && total < linger_bytes_max) {
        total += co_await wire_.read_some(trash, ec);
    }
}

// The clock of a request starts with its first byte, which may be here already.
void Session::await_request() {
    ServerLimits const& limits = shard_->options->limits;
    give(in_.empty() ? Phase::idle : Phase::reading, in_.empty() ? limits.idle : limits.header);
}

void Session::suspend_deadline() {
    deadline_ = std::numeric_limits<std::int64_t>::max();
}

void Session::give(Phase phase, Seconds time) {
    phase_ = phase;
    deadline_ = shard_->second + time.count() + 1;  // the second that runs is not a whole one
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "net/http_exchange.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace brickgate {

namespace {

using boost::system::error_code;

// Large enough that a transfer is bound by the kernel, small enough for thousands of streams.
constexpr std::size_t piece_bytes = 64 * 1024;
// Below this a copy is cheaper than a second entry of the system call.
constexpr std::size_t copied_below = 8 * 1024;

Error gone() {
    return {ErrorCode::request_aborted, "The caller has gone."};
}

void append_hex(std::string& out, std::size_t number) {
    char digits[16];
    auto const end = std::to_chars(std::begin(digits), std::end(digits), number, 16).ptr;
    out.append(std::begin(digits), end);
}

}  // namespace

SessionExchange::SessionExchange(Session& session)
    : session_(session),
      begin_(session.parser_->header_size()),
      end_(session.in_.view().size()),
      body_time_(session.shard_->options->limits.body_slack.count()),
      write_time_(session.shard_->options->limits.write_slack.count()) {
    session_.exchange_ = this;
}

std::optional<std::uint64_t> SessionExchange::body_length() const {
    return session_.parser_->body_length();
}

std::string_view SessionExchange::unread() const {
    char const* const from = in_session_buffer_ ? session_.in_.view().data() : buffer_.data();
    return {from + begin_, end_ - begin_};
}

Task<Result<std::string_view>> SessionExchange::read_body() {
    for (;;) {
        if (next_piece_ < pieces_.size()) {
            co_return pieces_[next_piece_++];
        }
        pieces_.clear();
        next_piece_ = 0;
        if (session_.parser_->body_done()) {
            co_return std::string_view();
        }
        auto const used = session_.parser_->feed_body(unread(), pieces_);
        if (!used) {
            broken_ = true;
            co_return fail(ErrorCode::invalid_request, "The request's body is not valid HTTP.");
        }
        begin_ += *used;
        if (!pieces_.empty() || session_.parser_->body_done()) {
            continue;
        }
        auto const more = co_await read_more();
        if (!more) {
            broken_ = true;
            co_return fail(more.error());
        }
    }
}

Task<Result<void>> SessionExchange::read_more() {
    if (session_.parser_->wants_continue() && !session_.continued_ && !begun_) {
        session_.continued_ = true;
        session_.out_ += "HTTP/1.1 100 Continue\r\n\r\n";
        bool const told = co_await session_.flush();
        if (!told) {
            co_return fail(gone());
        }
    }
    auto const rest = unread();
    if (buffer_.empty()) {
        buffer_.resize(piece_bytes);
    }
    // An unfinished chunk header moves to the front; what remains is always less than a buffer.
    std::copy(rest.begin(), rest.end(), buffer_.begin());
    in_session_buffer_ = false;
    begin_ = 0;
    end_ = rest.size();
    if (end_ == buffer_.size()) {
        co_return fail(ErrorCode::invalid_request, "A chunk of the request has no end.");
    }
    auto const now = session_.shard_->second;
    ServerLimits const& limits = session_.shard_->options->limits;
    session_.phase_ = Session::Phase::reading;
    session_.deadline_ = now + body_time_ + 1;
    error_code ec;
    std::size_t const got = co_await session_.wire_.read_some(std::span(buffer_).subspan(end_), ec);
    auto const waited = session_.shard_->second - now;
    session_.phase_ = Session::Phase::handling;
    session_.suspend_deadline();
    if (ec) {
        co_return fail(gone());
    }
    auto const earned = static_cast<std::int64_t>(got / limits.slowest_bytes_per_second);
    body_time_ = std::min(body_time_ - waited + earned, limits.body_slack.count());
    end_ += got;
    co_return Result<void>{};
}

void SessionExchange::begin(int status, std::string_view header_lines,
                            std::optional<std::uint64_t> length) {
    begun_ = true;
    std::string& out = session_.out_;
    auto const wanted = session_.framing();
    bool const bodyless = status == 204 || status == 304 || wanted.head;
    out += "HTTP/1.1 ";
    char digits[4];
    std::to_chars(std::begin(digits), std::end(digits), status);
    out.append(digits, 3);
    out += ' ';
    out += reason_phrase(status);
    out += "\r\n";
    out += session_.shard_->constant_lines;
    out += header_lines;
    if (length && status != 204) {
        out += "Content-Length: " + std::to_string(*length) + "\r\n";
    }
    if (bodyless) {
        framing_ = Framing::none;
    } else if (length) {
        framing_ = Framing::length;
        left_ = *length;
    } else if (wanted.http_1_0) {
        framing_ = Framing::until_close;
    } else {
        framing_ = Framing::chunked;
    }
    if (!length && !wanted.http_1_0 && status != 204 && status != 304) {
        out += "Transfer-Encoding: chunked\r\n";
    }
    if (framing_ == Framing::until_close || !wanted.keep_alive) {
        session_.keep_alive_ = false;
        out += "Connection: close\r\n";
    } else if (wanted.http_1_0) {
        out += "Connection: keep-alive\r\n";
    }
    out += "\r\n";
}

Task<bool> SessionExchange::write(std::string_view piece) {
    if (piece.empty() || framing_ == Framing::none) {
        co_return !broken_;
    }
    if (framing_ == Framing::length) {
        if (piece.size() > left_) {
            broken_ = true;  // more than was announced would be read as the next answer
            co_return false;
        }
        left_ -= piece.size();
    }
    std::string& out = session_.out_;
    if (framing_ == Framing::chunked) {
        append_hex(out, piece.size());
        out += "\r\n";
    }
    bool const copied = piece.size() < copied_below;
    std::string_view const end = framing_ == Framing::chunked ? "\r\n" : "";
    if (copied) {
        out.append(piece).append(end);
    }
    std::size_t done = 0;
    auto const rest = copied ? std::string_view() : piece;
    auto const state = send_now(rest, done);
    bool const sent = state == Session::Written::all ||
                      (state == Session::Written::blocked && co_await send(rest, done));
    if (!copied) {
        out += end;
    }
    broken_ = broken_ || !sent;
    co_return sent;
}

Session::Written SessionExchange::send_now(std::string_view piece, std::size_t& done) {
    std::string& out = session_.out_;
    while (done < out.size() + piece.size()) {
        error_code ec;
        auto const first = std::string_view(out).substr(std::min(done, out.size()));
        auto const second = piece.substr(done - std::min(done, out.size()));
        done += session_.wire_.write_now(first, second, ec);
        if (ec) {
            return ec == boost::asio::error::would_block ? Session::Written::blocked
                                                         : Session::Written::failed;
        }
    }
    explicit_bzero(out.data(), out.size());
    out.clear();
    return Session::Written::all;
}

Task<bool> SessionExchange::send(std::string_view piece, std::size_t done) {
    for (;;) {
        auto const state = send_now(piece, done);
        if (state != Session::Written::blocked) {
            co_return state == Session::Written::all;
        }
        auto const now = session_.shard_->second;
        session_.phase_ = Session::Phase::writing;
        session_.deadline_ = now + write_time_ + 1;
        error_code ec;
        co_await session_.wire_.writable(ec);
        session_.phase_ = Session::Phase::handling;
        session_.suspend_deadline();
        if (ec) {
            co_return false;
        }
        // "Writable" means that the client has read a third of the kernel's buffer at least: more
        // than what the slowest reader must take in this time.
        write_time_ = session_.shard_->options->limits.write_slack.count();
    }
}

Task<bool> SessionExchange::finish() {
    if (framing_ == Framing::length && left_ > 0) {
        broken_ = true;
    }
    if (broken_) {
        co_return false;
    }
    if (framing_ == Framing::chunked) {
        session_.out_ += "0\r\n\r\n";
    }
    std::size_t done = 0;
    bool const sent = send_now({}, done) == Session::Written::all || co_await send({}, done);
    finished_ = sent;
    broken_ = !sent;
    co_return sent;
}

Task<bool> SessionExchange::answer(ServerResponse response) {
    begun_ = true;
    // A body that was not read cannot be told from the next request.
    response.close = response.close || !session_.parser_->body_done();
    session_.answer(response);
    bool const sent = co_await send({}, 0);
    finished_ = sent;
    broken_ = !sent;
    co_return sent;
}

// Where the end of the connection would look like the end of the answer, the peer must see a reset;
// elsewhere an early end says enough, and what was sent before is not lost.
void SessionExchange::abort() {
    broken_ = true;
    gone_call_ = nullptr;
    second_call_ = nullptr;
    bool const end_would_lie = framing_ == Framing::until_close;
    if (begun_ && !end_would_lie) {
        (void)session_.write_now();
        session_.wire_.close();
    } else {
        session_.wire_.reset();
    }
}

SessionExchange::~SessionExchange() {
    session_.exchange_ = nullptr;
}

void SessionExchange::when_gone(std::function<void()> call) {
    gone_call_ = session_.parser_->body_done() ? std::move(call) : nullptr;
}

// A look a second costs less than a wait for each request. What there is to read besides the end is
// the next request already, which tells nothing.
void SessionExchange::look_for_client() {
    if (second_call_) {
        second_call_();
    }
    bool const waiting = gone_call_ && session_.phase_ == Session::Phase::handling;
    if (waiting && is_gone()) {
        std::exchange(gone_call_, nullptr)();
    }
}

bool SessionExchange::is_gone() {
    bool const can_tell = session_.parser_->body_done() && session_.wire_.is_open();
    gone_ = gone_ || (can_tell && session_.wire_.peer_left());
    return gone_;
}

void SessionExchange::cut() {
    broken_ = true;
    session_.wire_.reset();
}

bool SessionExchange::leave() {
    gone_call_ = nullptr;
    second_call_ = nullptr;
    bool const clean = finished_ && !broken_ && session_.parser_->body_done();
    if (!clean) {
        return false;
    }
    if (in_session_buffer_) {
        session_.in_.consume(begin_);
        return true;
    }
    session_.in_.consume(session_.in_.view().size());
    while (end_ > begin_) {
        auto const room = session_.in_.room();
        if (room.empty()) {
            return false;  // pipelined beyond what a buffer holds
        }
        std::size_t const size = std::min(room.size(), end_ - begin_);
        std::copy_n(buffer_.data() + begin_, size, room.data());
        session_.in_.filled(size);
        begin_ += size;
    }
    return true;
}

}  // namespace brickgate

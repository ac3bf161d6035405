// SPDX-License-Identifier: Apache-2.0
#include "net/http_session.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "net/error_response.h"

namespace brickgate {

namespace {

using boost::system::error_code;

constexpr std::size_t input_bytes_first = 4 * 1024;
constexpr std::size_t output_bytes_kept = 64 * 1024;
constexpr std::size_t pipelined_output_max = 64 * 1024;
constexpr Seconds linger_time{2};
constexpr std::size_t linger_bytes_max = 512 * 1024;

}  // namespace

InputBuffer::InputBuffer(std::size_t size_max)
    : size_max_(size_max),
      capacity_(std::min(input_bytes_first, size_max)),
      data_(std::make_unique_for_overwrite<char[]>(capacity_)) {}

InputBuffer::~InputBuffer() {
    explicit_bzero(data_.get() + begin_, end_ - begin_);
}

std::span<char> InputBuffer::room() {
    constexpr std::size_t enough = 1024;
    if (capacity_ - end_ < enough && begin_ > 0) {
        resize(capacity_);  // moves what is there to the front
    }
    if (capacity_ - end_ < enough && capacity_ < size_max_) {
        resize(std::min(capacity_ * 2, size_max_));
    }
    return {data_.get() + end_, capacity_ - end_};
}

void InputBuffer::consume(std::size_t bytes) {
    explicit_bzero(data_.get() + begin_, bytes);
    begin_ += bytes;
    if (begin_ == end_) {
        begin_ = end_ = 0;
        if (capacity_ > 4 * input_bytes_first) {
            resize(input_bytes_first);
        }
    }
}

void InputBuffer::drop(std::size_t from, std::size_t to) {
    std::memmove(data_.get() + begin_ + from, data_.get() + begin_ + to, end_ - begin_ - to);
    end_ -= to - from;
    explicit_bzero(data_.get() + end_, to - from);
}

void InputBuffer::resize(std::size_t capacity) {
    auto bigger = std::make_unique_for_overwrite<char[]>(capacity);
    std::size_t const size = end_ - begin_;
    std::memcpy(bigger.get(), data_.get() + begin_, size);
    explicit_bzero(data_.get() + begin_, size);
    data_ = std::move(bigger);
    capacity_ = capacity;
    begin_ = 0;
    end_ = size;
}

Session::Session(StreamSocket socket, std::shared_ptr<Shard> shard, Peer peer)
    : socket_(std::move(socket)),
      shard_(std::move(shard)),
      peer_(std::move(peer)),
      in_(shard_->options->limits.header_bytes_max + shard_->options->limits.body_bytes_max +
          input_bytes_first) {
    request_.peer_address = peer_.address;
    request_.peer_port = peer_.port;
    request_.listener = peer_.listener;
    request_.peer_uid = peer_.uid;
    parser_.emplace(shard_->options->limits);
    out_.reserve(input_bytes_first);
}

Session::~Session() {
    explicit_bzero(out_.data(), out_.size());
    shard_->session_ended(this);
}

Task<void> Session::run(std::shared_ptr<Session> self) {
    self->shard_->sessions.insert(self.get());
    error_code ignored;
    self->socket_.non_blocking(true, ignored);
    co_await self->serve();
    self->close();
}

bool Session::expire() {
    if (shard_->second < deadline_) {
        return false;
    }
    bool const too_slow = phase_ == Phase::reading || phase_ == Phase::writing;
    close();
    return too_slow;
}

void Session::close() {
    deadline_ = std::numeric_limits<std::int64_t>::max();
    error_code ignored;
    socket_.close(ignored);
}

Task<void> Session::serve() {
    await_request();
    for (;;) {
        auto const state = parser_->feed(in_.view());
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
        if (!write_now()) {
            bool const out = co_await flush();
            if (!out) {
                co_return;
            }
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
    boost::asio::mutable_buffer const buffer(room.data(), room.size());
    std::size_t const got =
        co_await socket_.async_read_some(buffer, boost::asio::redirect_error(use_task, ec));
    if (ec) {
        co_return false;
    }
    if (in_.empty()) {
        give(Phase::reading, shard_->options->limits.request);
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
        response.send(error_response(Error(ErrorCode::internal, "Something went wrong here.")));
    }
    keep_alive_ = response.keeps_alive();
    return true;
}

Task<ServerResponse> Session::handle() {
    phase_ = Phase::handling;
    deadline_ = std::numeric_limits<std::int64_t>::max();  // handlers have limits of their own
    try {
        co_return co_await shard_->options->handler(request_);
    } catch (std::exception const& e) {
        log(LogLevel::error, "handler_failed", "A handler threw.", {{"error", e.what()}});
    }
    co_return error_response(Error(ErrorCode::internal, "Something went wrong here."));
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
            give(Phase::writing, shard_->options->limits.write);
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
    ResponseBuffer buffer(out_, {.keep_alive = false}, shard_->constant_lines);
    buffer.send(error_response(Error(code, std::move(message))));
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

// True: everything is out. What the kernel takes at once needs no coroutine.
bool Session::write_now() {
    error_code ec;
    boost::asio::const_buffer const rest(out_.data() + written_, out_.size() - written_);
    written_ += socket_.write_some(rest, ec);
    if (written_ < out_.size()) {
        return false;
    }
    explicit_bzero(out_.data(), out_.size());
    out_.clear();
    written_ = 0;
    if (out_.capacity() > output_bytes_kept) {
        out_.shrink_to_fit();
    }
    return true;
}

Task<bool> Session::flush() {
    while (!out_.empty() && !write_now()) {
        give(Phase::writing, shard_->options->limits.write);
        error_code ec;
        boost::asio::const_buffer const rest(out_.data() + written_, out_.size() - written_);
        written_ +=
            co_await socket_.async_write_some(rest, boost::asio::redirect_error(use_task, ec));
        if (ec) {
            co_return false;
        }
    }
    co_return true;
}

// A socket closed with unread input sends a reset that can overtake the answer; so the answer is
// ended and what still comes is thrown away for a moment.
Task<void> Session::linger() {
    give(Phase::lingering, linger_time);
    error_code ec;
    socket_.shutdown(boost::asio::socket_base::shutdown_send, ec);
    std::array<char, 4096> trash;
    std::size_t total = 0;
    while (!ec && total < linger_bytes_max) {
        total += co_await socket_.async_read_some(boost::asio::buffer(trash),
                                                  boost::asio::redirect_error(use_task, ec));
    }
}

// The clock of a request starts with its first byte, which may be here already.
void Session::await_request() {
    ServerLimits const& limits = shard_->options->limits;
    give(in_.empty() ? Phase::idle : Phase::reading, in_.empty() ? limits.idle : limits.request);
}

void Session::give(Phase phase, Seconds time) {
    phase_ = phase;
    deadline_ = shard_->second + time.count() + 1;  // the second that runs is not a whole one
}

}  // namespace brickgate

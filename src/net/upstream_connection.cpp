// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "net/upstream.h"

namespace brickgate {

namespace {

using boost::system::error_code;

constexpr std::size_t buffer_bytes = 64 * 1024;
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

}  // namespace

UpstreamConnection::UpstreamConnection(UpstreamPool& pool, std::string key)
    : pool_(pool), key_(std::move(key)), wire_(StreamSocket(pool.executor_)), latest_(never) {
    expect_nothing();
    pool_.all_.insert(this);
}

UpstreamConnection::~UpstreamConnection() {
    pool_.all_.erase(this);
    wipe_buffer();
    wire_.close();
}

void UpstreamConnection::wipe_buffer() {
    if (used_ > 0) {
        explicit_bzero(buffer_.data(), used_);
        used_ = 0;
    }
}

void UpstreamConnection::expect(Seconds patience) {
    deadline_ = std::min(pool_.second_ + patience.count() + 1, latest_);
}

void UpstreamConnection::give_in_all(std::optional<Seconds> time) {
    latest_ = time ? pool_.second_ + time->count() + 1 : never;
}

void UpstreamConnection::expect_nothing() {
    deadline_ = never;
}

TransportError UpstreamConnection::broken(std::string_view what) const {
    if (timed_out_) {
        return {Error(ErrorCode::upstream_timeout, "The workspace did not answer in time."),
                Sent::maybe_sent};
    }
    return {Error(ErrorCode::upstream_unreachable, std::string(what)), Sent::maybe_sent};
}

Task<UpstreamConnection::Sending> UpstreamConnection::send(std::string_view head,
                                                           std::string_view body) {
    std::size_t done = 0;
    std::size_t const all = head.size() + body.size();
    while (done < all) {
        error_code ec;
        std::size_t const of_head = std::min(done, head.size());
        done += wire_.write_now(head.substr(of_head), body.substr(done - of_head), ec);
        if (!ec) {
            continue;
        }
        if (ec == boost::asio::error::would_block) {
            expect(pool_.shared_->limits.send_slack);
            co_await wire_.readable_or_writable(ec);
            expect_nothing();
        }
        // Whatever ended the sending, an answer may be here already: a refusal, most likely.
        if (wire_.is_open() && wire_.has_input()) {
            answered_early_ = true;
            co_return Sending();
        }
        if (ec) {
            co_return std::unexpected(broken("The workspace closed the connection."));
        }
    }
    co_return Sending();
}

// False: nothing more comes; `ended_` where it was a farewell and not a cut.
Task<bool> UpstreamConnection::fill(Seconds patience) {
    std::size_t const rest = end_ - begin_;
    if (buffer_.empty()) {
        if (!pool_.buffers_.empty()) {
            buffer_ = std::move(pool_.buffers_.back());
            pool_.buffers_.pop_back();
        } else {
            buffer_.resize(buffer_bytes);
        }
    }
    std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), rest, buffer_.begin());
    begin_ = 0;
    end_ = rest;
    if (end_ == buffer_.size()) {
        co_return false;
    }
    expect(patience);
    error_code ec;
    std::size_t const got = co_await wire_.read_some(std::span(buffer_).subspan(end_), ec);
    expect_nothing();
    ended_ = ec == boost::asio::error::eof;
    end_ += got;
    used_ = std::max(used_, end_);
    co_return !ec;
}

Task<std::expected<UpstreamHead const*, TransportError>> UpstreamConnection::receive_head(
    bool to_head) {
    using Answer = std::expected<UpstreamHead const*, TransportError>;
    auto const malformed = [] {
        return Answer(std::unexpected(
            TransportError{Error(ErrorCode::upstream_malformed,
                                 "The workspace's answer is not one that can be passed on."),
                           Sent::maybe_sent}));
    };
    constexpr int interim_max = 8;
    give_in_all(pool_.shared_->limits.answer);
    for (int interim = 0; interim < interim_max; ++interim) {
        parser_.emplace(pool_.shared_->limits.response, to_head);
        pieces_.clear();
        next_piece_ = 0;
        while (!parser_->head_done()) {
            auto const used = parser_->feed({buffer_.data() + begin_, end_ - begin_}, pieces_);
            if (!used) {
                co_return malformed();
            }
            begin_ += *used;
            if (parser_->head_done()) {
                break;
            }
            bool const more = co_await fill(pool_.shared_->limits.answer);
            if (!more) {
                co_return Answer(
                    std::unexpected(broken("The workspace ended the connection unanswered.")));
            }
        }
        if (!parser_->interim()) {
            // What of the body came along leaves with the head.
            auto const used = parser_->feed({buffer_.data() + begin_, end_ - begin_}, pieces_);
            if (!used) {
                co_return malformed();
            }
            begin_ += *used;
            give_in_all(std::nullopt);
            co_return Answer(&parser_->head());
        }
    }
    co_return malformed();
}

Task<Result<std::string_view>> UpstreamConnection::read_body(Seconds idle) {
    for (;;) {
        if (next_piece_ < pieces_.size()) {
            co_return pieces_[next_piece_++];
        }
        pieces_.clear();
        next_piece_ = 0;
        if (parser_->body_done()) {
            co_return std::string_view();
        }
        auto const more = co_await parse_more(idle);
        if (!more) {
            co_return fail(more.error());
        }
    }
}

Task<Result<void>> UpstreamConnection::parse_more(Seconds patience) {
    bool const more = co_await fill(patience);
    if (!more) {
        if (ended_ && parser_->end()) {
            co_return Result<void>{};
        }
        co_return fail(broken("The workspace broke its answer off.").error);
    }
    auto const used = parser_->feed({buffer_.data() + begin_, end_ - begin_}, pieces_);
    if (!used) {
        co_return fail(ErrorCode::upstream_malformed, "The workspace's answer is not valid HTTP.");
    }
    begin_ += *used;
    co_return Result<void>{};
}

}  // namespace brickgate

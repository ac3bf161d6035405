// SPDX-License-Identifier: Apache-2.0
#pragma once
// Beast's parser, made strict (T39): what two parsers could read differently is refused. Keeps
// offsets into the session's buffer instead of copies, so the bytes of a request must stay where
// they are, counted from its first byte, until it is answered; only a chunked body is put together
// apart. After the header its owner chooses: keep_body() and feed() to the end, or feed_body() for
// the body in pieces. One request after the other; one session's.
#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/http_server.h"

namespace brickgate {

class RequestParser final : public boost::beast::http::basic_parser<true> {
 public:
    enum class State : std::uint8_t { need_more, head, done, failed };

    explicit RequestParser(ServerLimits const& limits);

    // `bytes` starts at the request's first byte each time, and has grown since the last call (or
    // lost what take_chunk_bytes() named). `head` is told once, before the body is looked at.
    State feed(std::string_view bytes);
    // The whole body goes into memory: false (and a fault) where it is announced too long for that.
    bool keep_body();
    // The body in pieces: consumes from `bytes`, which begin where the last call (or the header)
    // ended, and adds views into them. The rest is to be given again, with more behind it.
    std::optional<std::size_t> feed_body(std::string_view bytes,
                                         std::vector<std::string_view>& pieces);
    bool body_done() const { return is_done(); }
    std::size_t header_size() const { return header_size_; }
    // Nothing where it is chunked, 0 where there is none.
    std::optional<std::uint64_t> body_length() const;
    // Where the request ends, when done.
    std::size_t size() const { return parsed_; }
    // Bytes [first, second) are a chunked body that is copied already; the buffer may drop them.
    std::pair<std::size_t, std::size_t> take_chunk_bytes();

    ErrorCode fault() const { return fault_; }
    bool wants_continue() const { return expects_continue_ && is_header_done() && !saw_body_; }
    bool is_http_1_0() const { return version_ == 10; }
    void fill(std::string_view bytes, ServerRequest& request) const;

 private:
    using error_code = boost::beast::error_code;
    using string_view = boost::beast::string_view;
    using Field = boost::beast::http::field;
    struct Span {
        std::uint32_t begin = 0;
        std::uint32_t size = 0;
    };
    struct HeaderSpan {
        Span name;
        Span value;
    };

    void on_request_impl(boost::beast::http::verb verb, string_view method, string_view target,
                         int version, error_code& ec) override;
    void on_response_impl(int, string_view, int, error_code&) override {}
    void on_field_impl(Field field, string_view name, string_view value, error_code& ec) override;
    void on_header_impl(error_code& ec) override;
    void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
    std::size_t on_body_impl(string_view piece, error_code& ec) override;
    void on_chunk_header_impl(std::uint64_t size, string_view extensions, error_code& ec) override;
    std::size_t on_chunk_body_impl(std::uint64_t left, string_view piece, error_code& ec) override;
    void on_finish_impl(error_code&) override {}

    void check_framing(Field field, std::string_view value, error_code& ec);
    void refuse(ErrorCode fault, error_code& ec);
    ErrorCode fault_of(error_code const& ec) const;
    Span span_of(string_view text) const;

    ServerLimits const& limits_;
    char const* base_ = nullptr;  // of the bytes being fed
    std::size_t bytes_size_ = 0;
    std::size_t parsed_ = 0;
    std::size_t header_size_ = 0;
    std::size_t trailer_bytes_ = 0;
    Span method_;
    Span target_;
    std::vector<HeaderSpan> headers_;
    Span body_;
    std::string chunked_body_;
    std::vector<std::string_view>* pieces_ = nullptr;  // while feed_body() runs
    bool told_head_ = false;
    int version_ = 11;
    unsigned hosts_ = 0;
    unsigned content_lengths_ = 0;
    bool is_chunked_ = false;
    bool expects_continue_ = false;
    bool saw_start_line_ = false;
    bool saw_header_ = false;
    bool saw_body_ = false;
    ErrorCode fault_ = ErrorCode::invalid_request;
};

// Method and path as far as they have come, of a request that was refused before it was read: for
// whoever words the refusal. Nothing else of it is believed.
ServerRequest begun_request(std::string_view input);

}  // namespace brickgate

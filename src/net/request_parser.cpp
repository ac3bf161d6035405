// SPDX-License-Identifier: Apache-2.0
#include "net/request_parser.h"

#include <algorithm>
#include <boost/beast/http/error.hpp>
#include <utility>

#include "base/secret.h"

namespace brickgate {

namespace http = boost::beast::http;

namespace {

std::string_view std_view(boost::beast::string_view text) {
    return {text.data(), text.size()};
}

bool is_all_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Origin form in visible ASCII; a fragment is never sent (RFC 9112 section 3.2.1).
bool is_origin_form(std::string_view target) {
    return target.starts_with('/') &&
           std::ranges::all_of(target, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

// A value continued on the next line: deprecated, and read differently by different parsers.
bool has_obs_fold(std::string_view header) {
    for (auto at = header.find('\n'); at != std::string_view::npos;
         at = header.find('\n', at + 1)) {
        if (at + 1 < header.size() && (header[at + 1] == ' ' || header[at + 1] == '\t')) {
            return true;
        }
    }
    return false;
}

}  // namespace

RequestParser::RequestParser(ServerLimits const& limits) : limits_(limits) {
    header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
    body_limit(boost::none);  // keep_body() sets one
}

RequestParser::State RequestParser::feed(std::string_view bytes) {
    base_ = bytes.data();
    bytes_size_ = bytes.size();
    error_code ec;
    // Beast asserts that it never sees the last chunk with fewer than five bytes ("0 CRLF CRLF");
    // at least as many follow anywhere inside a chunked body, so waiting for them loses nothing.
    std::size_t const enough = is_chunked_ && saw_header_ ? 5 : 1;
    while (!is_done() && bytes.size() - parsed_ >= enough) {
        parsed_ +=
            put(boost::asio::const_buffer(bytes.data() + parsed_, bytes.size() - parsed_), ec);
        if (ec || (is_header_done() && !told_head_)) {
            break;
        }
    }
    if (ec && ec != http::error::need_more) {
        fault_ = fault_of(ec);
        return State::failed;
    }
    if (is_header_done() && !std::exchange(told_head_, true)) {
        return State::head;
    }
    if (is_done()) {
        return State::done;
    }
    if (!is_header_done() && bytes.size() > limits_.header_bytes_max) {
        fault_ = saw_start_line_ ? ErrorCode::headers_too_large : ErrorCode::uri_too_long;
        return State::failed;
    }
    return State::need_more;
}

bool RequestParser::keep_body() {
    if (body_length().value_or(0) > limits_.body_bytes_max) {
        fault_ = ErrorCode::request_too_large;
        return false;
    }
    body_limit(limits_.body_bytes_max);
    return true;
}

std::optional<std::uint64_t> RequestParser::body_length() const {
    if (is_chunked_) {
        return std::nullopt;
    }
    auto const announced = content_length();
    return announced ? *announced : 0;
}

std::optional<std::size_t> RequestParser::feed_body(std::string_view bytes,
                                                    std::vector<std::string_view>& pieces) {
    base_ = bytes.data();
    bytes_size_ = bytes.size();
    pieces_ = &pieces;
    error_code ec;
    std::size_t used = 0;
    std::size_t const enough = is_chunked_ ? 5 : 1;  // see feed()
    while (!is_done() && !ec && bytes.size() - used >= enough) {
        used += put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), ec);
    }
    pieces_ = nullptr;
    if (ec && ec != http::error::need_more) {
        fault_ = fault_of(ec);
        return std::nullopt;
    }
    return used;
}

std::pair<std::size_t, std::size_t> RequestParser::take_chunk_bytes() {
    if (!is_chunked_ || !saw_header_ || parsed_ <= header_size_) {
        return {0, 0};
    }
    return {header_size_, std::exchange(parsed_, header_size_)};
}

void RequestParser::fill(std::string_view bytes, ServerRequest& request) const {
    auto const text = [&](Span span) { return bytes.substr(span.begin, span.size); };
    request.method = text(method_);
    request.target = text(target_);
    auto const mark = request.target.find('?');
    request.path = request.target.substr(0, mark);
    request.query =
        mark == std::string_view::npos ? std::string_view() : request.target.substr(mark + 1);
    request.headers.clear();
    for (HeaderSpan const& header : headers_) {
        request.headers.push_back({text(header.name), text(header.value)});
    }
    request.body = is_chunked_ ? std::string_view(chunked_body_) : text(body_);
}

void RequestParser::on_request_impl(http::verb, string_view method, string_view target, int version,
                                    error_code& ec) {
    saw_start_line_ = true;
    method_ = span_of(method);
    target_ = span_of(target);
    version_ = version;
    if (target.size() > limits_.target_bytes_max) {
        refuse(ErrorCode::uri_too_long, ec);
    } else if (!is_origin_form(std_view(target))) {
        refuse(ErrorCode::invalid_request, ec);
    }
}

void RequestParser::on_field_impl(Field field, string_view name, string_view value,
                                  error_code& ec) {
    bool const outside =
        !value.empty() && (value.data() < base_ || value.data() > base_ + bytes_size_);
    if (outside) {
        refuse(ErrorCode::invalid_request, ec);  // put together from folded lines
        return;
    }
    if (saw_header_) {
        // Trailers are dropped, but not without measure.
        constexpr std::size_t around = 4;  // colon, space, CRLF
        trailer_bytes_ += name.size() + value.size() + around;
        if (trailer_bytes_ > limits_.header_bytes_max) {
            refuse(ErrorCode::headers_too_large, ec);
        }
        return;
    }
    headers_.push_back({span_of(name), span_of(value)});
    std::size_t const field_size = name.size() + value.size();
    std::size_t const end = headers_.back().name.begin + field_size;
    if (headers_.size() > limits_.header_count_max || end > limits_.header_bytes_max ||
        field_size > limits_.header_field_bytes_max) {
        refuse(ErrorCode::headers_too_large, ec);
        return;
    }
    check_framing(field, std_view(value), ec);
}

void RequestParser::check_framing(Field field, std::string_view value, error_code& ec) {
    bool fine = true;
    switch (field) {
        case Field::host:
            fine = ++hosts_ == 1;
            break;
        case Field::content_length:
            fine = ++content_lengths_ == 1 && is_all_digits(value) && value.size() <= 15;
            break;
        case Field::transfer_encoding:
            // Beast of 1.81 takes chunked in HTTP/1.0 too (boostorg/beast#3096).
            fine = !is_chunked_ && version_ == 11 && boost::beast::iequals(value, "chunked");
            is_chunked_ = true;
            break;
        case Field::expect:
            fine = boost::beast::iequals(value, "100-continue");
            expects_continue_ = version_ == 11;
            break;
        default:
            break;
    }
    if (!fine) {
        refuse(ErrorCode::invalid_request, ec);
    }
}

void RequestParser::on_header_impl(error_code& ec) {
    saw_header_ = true;
    // The empty line that ends the header is the last thing Beast consumed.
    std::string_view const seen(base_, bytes_size_);
    header_size_ = seen.find("\r\n\r\n") + 4;
    bool const both = is_chunked_ && content_lengths_ > 0;
    bool const no_host = version_ == 11 && hosts_ == 0;
    if (both || no_host || has_obs_fold(seen.substr(0, header_size_))) {
        refuse(ErrorCode::invalid_request, ec);
    } else if (header_size_ > limits_.header_bytes_max) {
        refuse(ErrorCode::headers_too_large, ec);
    }
}

std::size_t RequestParser::on_body_impl(string_view piece, error_code&) {
    if (pieces_) {
        pieces_->push_back(std_view(piece));
        saw_body_ = true;
        return piece.size();
    }
    if (!saw_body_) {
        body_.begin = span_of(piece).begin;
        saw_body_ = true;
    }
    body_.size += static_cast<std::uint32_t>(piece.size());
    return piece.size();
}

void RequestParser::on_chunk_header_impl(std::uint64_t, string_view extensions, error_code& ec) {
    saw_body_ = true;
    constexpr std::size_t extension_bytes_max = 256;
    if (extensions.size() > extension_bytes_max) {
        refuse(ErrorCode::invalid_request, ec);
    }
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, string_view piece, error_code&) {
    if (pieces_) {
        pieces_->push_back(std_view(piece));
        return piece.size();
    }
    chunked_body_.append(piece.data(), piece.size());
    return piece.size();
}

void RequestParser::refuse(ErrorCode fault, error_code& ec) {
    fault_ = fault;
    ec = boost::system::errc::make_error_code(boost::system::errc::invalid_argument);
}

ErrorCode RequestParser::fault_of(error_code const& ec) const {
    if (ec == boost::system::errc::invalid_argument) {
        return fault_;
    }
    if (ec == http::error::body_limit) {
        return ErrorCode::request_too_large;
    }
    if (ec == http::error::header_limit) {
        return saw_start_line_ ? ErrorCode::headers_too_large : ErrorCode::uri_too_long;
    }
    return ErrorCode::invalid_request;
}

RequestParser::Span RequestParser::span_of(string_view text) const {
    if (text.empty()) {
        return {};
    }
    return {static_cast<std::uint32_t>(text.data() - base_),
            static_cast<std::uint32_t>(text.size())};
}

ServerRequest begun_request(std::string_view input) {
    constexpr std::size_t enough = 256;
    auto const space = input.substr(0, enough).find(' ');
    if (space == std::string_view::npos) {
        return {};
    }
    auto const rest = input.substr(space + 1, enough);
    return ServerRequest::of(input.substr(0, space), rest.substr(0, rest.find_first_of(" \r\n")));
}

}  // namespace brickgate

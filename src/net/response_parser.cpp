// SPDX-License-Identifier: Apache-2.0
#include "net/response_parser.h"

#include <algorithm>
#include <boost/beast/http/error.hpp>
#include <charconv>

namespace brickgate {

namespace http = boost::beast::http;

namespace {

constexpr std::size_t usual_fields = 16;

std::string_view std_view(boost::beast::string_view text) {
    return {text.data(), text.size()};
}

bool is_all_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Of a whole head. A bare CR is a line's end to some readers, and a folded line is to none of them
// what it was.
bool has_odd_line(std::string_view head) {
    if (head.find('\0') != std::string_view::npos) {
        return true;
    }
    while (!head.empty()) {
        auto const line = head.substr(0, head.find('\n'));
        bool const ends_well = line.size() < head.size() && line.find('\r') == line.size() - 1;
        head.remove_prefix(std::min(line.size() + 1, head.size()));
        bool const fold = head.starts_with(' ') || head.starts_with('\t');
        if (line.empty() || !ends_well || fold) {
            return true;
        }
    }
    return false;
}

}  // namespace

std::optional<std::string_view> UpstreamHead::header(std::string_view name) const {
    for (HeaderField const& field : fields) {
        if (equals_ignoring_case(field.name, name)) {
            return field.value;
        }
    }
    return std::nullopt;
}

ResponseParser::ResponseParser(ResponseLimits limits, bool to_head)
    : limits_(limits), to_head_(to_head) {
    header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
    body_limit(boost::none);
    skip(to_head);
}

std::optional<std::size_t> ResponseParser::feed(std::string_view bytes,
                                                std::vector<std::string_view>& pieces) {
    pieces_ = &pieces;
    std::size_t used = 0;
    error_code ec;
    if (!is_header_done()) {
        auto const end = bytes.find("\r\n\r\n");
        if (end == std::string_view::npos) {
            bool const too_long = bytes.size() > limits_.header_bytes_max;
            return too_long ? std::nullopt : std::optional<std::size_t>(0);
        }
        if (has_odd_line(bytes.substr(0, end + 4))) {
            return std::nullopt;
        }
        text_.reserve(end);
        spans_.reserve(usual_fields);
    }
    for (;;) {
        // Beast asserts that it never sees the last chunk with fewer than five bytes; at least as
        // many follow anywhere inside a chunked body.
        std::size_t const enough = is_chunked_ && is_header_done() ? 5 : 1;
        if (is_done() || ec || bytes.size() - used < enough) {
            break;
        }
        bool const head_before = is_header_done();
        used += put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), ec);
        if (!head_before && is_header_done()) {
            break;  // the caller looks at the head before any of the body
        }
    }
    pieces_ = nullptr;
    if (ec && ec != http::error::need_more) {
        return std::nullopt;
    }
    return used;
}

bool ResponseParser::end() {
    error_code ec;
    if (is_done()) {
        return true;
    }
    if (!is_header_done() || !until_close_) {
        return false;
    }
    put_eof(ec);
    return !ec && is_done();
}

void ResponseParser::on_response_impl(int code, string_view, int version, error_code& ec) {
    status_ = code;
    version_ = version;
    bool const known = code >= 100 && code <= 599 && code != 101;  // T44: no upgrades
    if (!known) {
        refuse(ec);
    }
}

void ResponseParser::on_field_impl(Field field, string_view name, string_view value,
                                   error_code& ec) {
    if (is_header_done()) {
        return;  // trailers are dropped
    }
    if (spans_.size() >= limits_.header_count_max) {
        refuse(ec);
        return;
    }
    spans_.push_back({text_.size(), name.size(), value.size()});
    text_.append(name.data(), name.size());
    text_.append(value.data(), value.size());
    if (field == Field::content_length &&
        (++content_lengths_ > 1 || !is_all_digits(std_view(value)) || value.size() > 15)) {
        refuse(ec);
    }
    if (field == Field::transfer_encoding) {
        bool const fine = !is_chunked_ && version_ == 11 && boost::beast::iequals(value, "chunked");
        is_chunked_ = true;
        if (!fine) {
            refuse(ec);
        }
    }
}

void ResponseParser::on_header_impl(error_code& ec) {
    if (is_chunked_ && content_lengths_ > 0) {
        refuse(ec);
        return;
    }
    head_.status = status_;
    head_.fields.reserve(spans_.size());
    for (Span const& span : spans_) {
        std::string_view const text(text_);
        head_.fields.push_back({text.substr(span.name_begin, span.name_size),
                                text.substr(span.name_begin + span.name_size, span.value_size)});
    }
    bool const bodyless = to_head_ || interim() || status_ == 204 || status_ == 304;
    if (auto const announced = head_.header("Content-Length")) {
        std::uint64_t length = 0;  // digits, as many as fit
        std::from_chars(announced->data(), announced->data() + announced->size(), length);
        head_.length = length;
    }
    until_close_ = !bodyless && !is_chunked_ && content_lengths_ == 0;
}

std::size_t ResponseParser::on_body_impl(string_view piece, error_code&) {
    pieces_->push_back(std_view(piece));
    return piece.size();
}

void ResponseParser::on_chunk_header_impl(std::uint64_t, string_view extensions, error_code& ec) {
    constexpr std::size_t extension_bytes_max = 256;
    if (extensions.size() > extension_bytes_max) {
        refuse(ec);
    }
}

std::size_t ResponseParser::on_chunk_body_impl(std::uint64_t, string_view piece, error_code&) {
    pieces_->push_back(std_view(piece));
    return piece.size();
}

void ResponseParser::refuse(error_code& ec) {
    ec = boost::system::errc::make_error_code(boost::system::errc::invalid_argument);
}

}  // namespace brickgate

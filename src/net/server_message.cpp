// SPDX-License-Identifier: Apache-2.0
#include "net/server_message.h"

#include <algorithm>
#include <charconv>

#include "net/error_response.h"

namespace brickgate {

namespace {

// What would let a value end its line and begin another header, or a body (response splitting).
bool is_one_line(std::string_view text) {
    return std::ranges::none_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

void append_number(std::string& out, std::size_t number) {
    char digits[20];
    auto const end = std::to_chars(std::begin(digits), std::end(digits), number).ptr;
    out.append(std::begin(digits), end);
}

bool has_no_body(int status) {
    return status < 200 || status == 204 || status == 304;
}

}  // namespace

ServerRequest ServerRequest::of(std::string_view method, std::string_view target) {
    ServerRequest request;
    request.method = method;
    request.target = target;
    auto const mark = target.find('?');
    request.path = target.substr(0, mark);
    request.query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
    return request;
}

std::optional<std::string_view> ServerRequest::header(std::string_view name) const {
    for (HeaderField const& field : headers) {
        if (equals_ignoring_case(field.name, name)) {
            return field.value;
        }
    }
    return std::nullopt;
}

std::vector<std::string_view> ServerRequest::header_values(std::string_view name) const {
    std::vector<std::string_view> out;
    for (HeaderField const& field : headers) {
        if (equals_ignoring_case(field.name, name)) {
            out.push_back(field.value);
        }
    }
    return out;
}

std::string_view reason_phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 302:
            return "Found";
        case 303:
            return "See Other";
        case 304:
            return "Not Modified";
        case 206:
            return "Partial Content";
        case 301:
            return "Moved Permanently";
        case 307:
            return "Temporary Redirect";
        case 308:
            return "Permanent Redirect";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 416:
            return "Range Not Satisfiable";
        case 421:
            return "Misdirected Request";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        default:
            return "Status";
    }
}

void ResponseBuffer::send(int status, std::string_view header_lines, std::string_view body) {
    begin(status, body.size());
    out_ += header_lines;
    end(status, body);
}

void ResponseBuffer::send(ServerResponse const& response) {
    for (auto const& [name, value] : response.headers) {
        if (!is_one_line(name) || !is_one_line(value)) {
            send(error_response(Error(ErrorCode::internal, "An answer had a broken header.")));
            return;
        }
    }
    framing_.keep_alive = framing_.keep_alive && !response.close;
    begin(response.status, response.body.size());
    for (auto const& [name, value] : response.headers) {
        out_ += name;
        out_ += ": ";
        out_ += value;
        out_ += "\r\n";
    }
    end(response.status, response.body);
}

void ResponseBuffer::begin(int status, std::size_t body_size) {
    out_ += "HTTP/1.1 ";
    append_number(out_, static_cast<std::size_t>(status));
    out_ += ' ';
    out_ += reason_phrase(status);
    out_ += "\r\n";
    out_ += constant_lines_;
    if (!has_no_body(status)) {
        out_ += "Content-Length: ";
        append_number(out_, body_size);
        out_ += "\r\n";
    }
    if (!framing_.keep_alive) {
        out_ += "Connection: close\r\n";
    } else if (framing_.http_1_0) {
        out_ += "Connection: keep-alive\r\n";
    }
}

void ResponseBuffer::end(int status, std::string_view body) {
    out_ += "\r\n";
    if (!framing_.head && !has_no_body(status)) {
        out_ += body;
    }
    sent_ = true;
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "net/request_parser.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <random>

namespace brickgate {
namespace {

ServerLimits const limits_;

struct Parsed {
    RequestParser::State state = RequestParser::State::need_more;
    ErrorCode fault = ErrorCode::internal;
    std::size_t size = 0;
    std::string method, target, body;
    std::size_t headers = 0;
};

// Feeds the bytes in pieces of `step`, as a slow network would, dropping chunks as a session does.
Parsed parse(std::string bytes, std::size_t step, ServerLimits const& limits = limits_) {
    RequestParser parser(limits);
    std::string seen;
    Parsed out;
    std::size_t dropped = 0;
    for (std::size_t at = 0; at < bytes.size() && out.state == RequestParser::State::need_more;
         at += step) {
        seen += bytes.substr(at, step);
        out.state = parser.feed(seen);
        if (out.state == RequestParser::State::head) {
            out.state = parser.keep_body() ? parser.feed(seen) : RequestParser::State::failed;
        }
        if (out.state == RequestParser::State::need_more) {
            auto const [from, to] = parser.take_chunk_bytes();
            seen.erase(from, to - from);
            dropped += to - from;
        }
    }
    out.fault = parser.fault();
    if (out.state == RequestParser::State::done) {
        ServerRequest request;
        parser.fill(seen, request);
        out.size = parser.size() + dropped;
        out.method = request.method;
        out.target = request.target;
        out.body = request.body;
        out.headers = request.headers.size();
    }
    return out;
}

struct Refused {
    char const* why;
    std::string bytes;
};

std::string const host = "Host: a\r\n";

std::vector<Refused> smuggling() {
    using namespace std::string_literals;
    std::string const post = "POST / HTTP/1.1\r\n" + host;
    std::string const chunked = post + "Transfer-Encoding: chunked\r\n";
    return {
        {"CL and TE", post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {"TE and CL", chunked + "Content-Length: 4\r\n\r\n0\r\n\r\n"},
        {"two equal CL", post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"},
        {"two different CL", post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
        {"CL list", post + "Content-Length: 1, 1\r\n\r\na"},
        {"CL with sign", post + "Content-Length: +1\r\n\r\na"},
        {"CL hex", post + "Content-Length: 0x1\r\n\r\na"},
        {"CL negative", post + "Content-Length: -1\r\n\r\n"},
        {"CL empty", post + "Content-Length: \r\n\r\n"},
        {"CL beyond 64 bits", post + "Content-Length: 99999999999999999999\r\n\r\n"},
        {"CL of 16 digits", post + "Content-Length: 0000000000000001\r\n\r\na"},
        {"TE in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {"TE gzip", post + "Transfer-Encoding: gzip\r\n\r\n"},
        {"TE gzip, chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
        {"TE chunked, identity", post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"},
        {"TE twice", chunked + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {"TE twice, first identity",
         post + "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {"TE quoted", post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"},
        {"TE xchunked", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
        {"TE with vertical tab", post + "Transfer-Encoding: \x0b"
                                        "chunked\r\n\r\n0\r\n\r\n"},
        {"space before colon", post + "Content-Length : 1\r\n\r\na"},
        {"tab before colon", post + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"},
        {"space before name", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
        {"folded value", post + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n"},
        {"folded by tab", post + "X: a\r\n\tb\r\nContent-Length: 0\r\n\r\n"},
        {"folded empty value", post + "X:\r\n \r\nContent-Length: 0\r\n\r\n"},
        {"folded framing", post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"},
        {"bare LF line ends", "GET / HTTP/1.1\nHost: a\n\n\r\n\r\n"},
        {"bare LF inside value", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"},
        {"bare CR inside value", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"},
        {"NUL in value", "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"s},
        {"NUL in name", "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n"s},
        {"no colon", "GET / HTTP/1.1\r\nHost a\r\n\r\n"},
        {"empty name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"},
        {"no Host", "GET / HTTP/1.1\r\n\r\n"},
        {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
        {"absolute form", "GET http://evil.test/x HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"authority form", "CONNECT evil.test:443 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"non-ASCII target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"control in target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"space in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
        {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
        {"HTTP/0.9", "GET /\r\n\r\n"},
        {"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n"},
        {"bad method", "G\x7fT / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 / / / / / / /\r\n\r\n"s},
        {"chunk size not hex", chunked + "\r\nxyz\r\n\r\n"},
        {"chunk size negative", chunked + "\r\n-1\r\n\r\n"},
        {"chunk size of 0x", chunked + "\r\n0x1\r\na\r\n0\r\n\r\n"},
        {"chunk size too wide", chunked + "\r\n10000000000000001\r\na\r\n0\r\n\r\n"},
        {"chunk longer than its size", chunked + "\r\n1\r\nab\r\n0\r\n\r\n"},
        {"chunk ended by LF", chunked + "\r\n1\r\na\n0\r\n\r\n"},
        {"chunk size ended by LF", chunked + "\r\n1\na\r\n0\r\n\r\n"},
        {"chunk extension of 300 bytes",
         chunked + "\r\n1;a=" + std::string(300, 'b') + "\r\na\r\n0\r\n\r\n"},
        {"Content-Length as trailer", chunked + "\r\n0\r\nContent-Length: 5\r\n\r\n"},
        {"folded trailer", chunked + "\r\n1\r\na\r\n0\r\nX: a\r\n b\r\n\r\n"},
        {"unknown expectation", post + "Expect: the-unexpected\r\nContent-Length: 0\r\n\r\n"},
    };
}

TEST(RequestParser, T39_what_two_parsers_could_read_differently_is_refused) {
    auto const table = smuggling();
    EXPECT_GE(table.size(), 60U);
    for (Refused const& row : table) {
        for (std::size_t const step : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
            Parsed const parsed = parse(row.bytes, step);
            EXPECT_EQ(parsed.state, RequestParser::State::failed)
                << row.why << " in steps of " << step;
            EXPECT_EQ(parsed.fault, ErrorCode::invalid_request) << row.why;
        }
    }
}

TEST(RequestParser, T39_trailers_are_dropped_within_measure) {
    std::string const start =
        "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n";
    auto const with_trailers = [&](std::size_t count) {
        std::string bytes = start;
        for (std::size_t i = 0; i < count; ++i) {
            bytes += "X-Trailer: " + std::string(89, 'y') + "\r\n";
        }
        return parse(bytes + "\r\n", 100'000);
    };
    std::size_t const most = limits_.header_bytes_max / 102;  // each such line
    EXPECT_EQ(with_trailers(most).state, RequestParser::State::done);
    auto const beyond = with_trailers(most + 1);
    EXPECT_EQ(beyond.state, RequestParser::State::failed);
    EXPECT_EQ(beyond.fault, ErrorCode::headers_too_large);
}

TEST(RequestParser, reads_requests_in_pieces_of_any_size) {
    std::string const bytes =
        "POST /v1/x?y=z HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Empty:\r\n\r\nhello";
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        Parsed const parsed = parse(bytes + "GET / HTTP/1.1\r\n", step);
        ASSERT_EQ(parsed.state, RequestParser::State::done) << step;
        EXPECT_EQ(parsed.size, bytes.size());
        EXPECT_EQ(parsed.method, "POST");
        EXPECT_EQ(parsed.target, "/v1/x?y=z");
        EXPECT_EQ(parsed.body, "hello");
        EXPECT_EQ(parsed.headers, 3U);
    }
}

TEST(RequestParser, puts_chunks_together_and_drops_extensions_and_trailers) {
    std::string const bytes =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5;name=value\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: dropped\r\n\r\n";
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        Parsed const parsed = parse(bytes + "GET", step);
        ASSERT_EQ(parsed.state, RequestParser::State::done) << step;
        EXPECT_EQ(parsed.size, bytes.size()) << step;
        EXPECT_EQ(parsed.body, "hello world");
        EXPECT_EQ(parsed.headers, 2U);
    }
}

TEST(RequestParser, every_limit_has_its_status) {
    auto const request = [](std::string const& target, std::string const& headers) {
        return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n";
    };
    std::string many;
    for (int i = 0; i < 101; ++i) {
        many += "X" + std::to_string(i) + ": y\r\n";
    }
    std::string small_headers;
    for (int i = 0; i < 60; ++i) {
        small_headers += "X" + std::to_string(i) + ": " + std::string(700, 'y') + "\r\n";
    }
    std::string const chunk = "4000\r\n" + std::string(0x4000, 'a') + "\r\n";
    struct {
        std::string bytes;
        ErrorCode fault;
    } const table[] = {
        {request("/" + std::string(8 * 1024, 'a'), ""), ErrorCode::uri_too_long},
        {request("/" + std::string(40 * 1024, 'a'), ""), ErrorCode::uri_too_long},
        {request("/", "X: " + std::string(33 * 1024, 'a') + "\r\n"), ErrorCode::headers_too_large},
        {request("/", small_headers), ErrorCode::headers_too_large},
        {request("/", many), ErrorCode::headers_too_large},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n",
         ErrorCode::request_too_large},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk +
             chunk + chunk + "1\r\na\r\n0\r\n\r\n",
         ErrorCode::request_too_large},
    };
    for (auto const& row : table) {
        for (std::size_t const step : {std::size_t{97}, std::size_t{1'000'000}}) {
            Parsed const parsed = parse(row.bytes, step);
            EXPECT_EQ(parsed.state, RequestParser::State::failed) << row.bytes.substr(0, 60);
            EXPECT_EQ(parsed.fault, row.fault)
                << row.bytes.substr(0, 60) << " in steps of " << step;
        }
    }
    EXPECT_EQ(parse(request("/" + std::string(8191, 'a'), ""), 100).state,
              RequestParser::State::done);
}

TEST(RequestParser, an_endless_header_is_refused_before_it_ends) {
    RequestParser parser(limits_);
    std::string seen = "GET / HTTP/1.1\r\nHost: a\r\n";
    int lines = 0;
    while (parser.feed(seen) == RequestParser::State::need_more && lines < 100'000) {
        seen += "X: " + std::string(500, 'y') + "\r\n";
        ++lines;
    }
    EXPECT_EQ(parser.fault(), ErrorCode::headers_too_large);
    EXPECT_LT(seen.size(), limits_.header_bytes_max + 2048);
}

std::string mutated(std::string bytes, std::mt19937& random) {
    static constexpr std::string_view pieces[] = {"\r\n",
                                                  "\r",
                                                  "\n",
                                                  "0\r\n",
                                                  "\r\n\r\n",
                                                  ":",
                                                  " ",
                                                  "\t",
                                                  "1",
                                                  "f",
                                                  ";",
                                                  "chunked",
                                                  "Content-Length: 3\r\n",
                                                  "\xff",
                                                  "-"};
    for (unsigned n = 1 + random() % 3; n > 0; --n) {
        std::size_t const at = random() % (bytes.size() + 1);
        switch (random() % 4) {
            case 0:
                bytes.insert(at, pieces[random() % std::size(pieces)]);
                break;
            case 1:
                bytes.erase(at, random() % 4);
                break;
            case 2:
                bytes.insert(at, 1, static_cast<char>(random() % 256));
                break;
            default:
                bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 20));
        }
    }
    return bytes;
}

// How the bytes arrive must not change what they mean, nor trip an assertion of Beast's.
TEST(RequestParser, T39_ten_thousand_mutations_mean_the_same_in_any_pieces) {
    std::mt19937 random(20240117);
    auto corpus = smuggling();
    corpus.push_back({"good",
                      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "3\r\nabc\r\n0\r\n\r\n"});
    corpus.push_back({"good", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"});
    int done = 0;
    for (int i = 0; i < 10'000; ++i) {
        std::string const bytes = mutated(corpus[random() % corpus.size()].bytes, random);
        Parsed const whole = parse(bytes, bytes.size() + 1);
        Parsed const pieces = parse(bytes, 1 + random() % 9);
        ASSERT_EQ(whole.state == RequestParser::State::done,
                  pieces.state == RequestParser::State::done)
            << bytes;
        ASSERT_EQ(whole.size, pieces.size) << bytes;
        ASSERT_EQ(whole.body, pieces.body) << bytes;
        done += whole.state == RequestParser::State::done ? 1 : 0;
    }
    EXPECT_GT(done, 100);
}

}  // namespace
}  // namespace brickgate

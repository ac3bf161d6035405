// SPDX-License-Identifier: Apache-2.0
// Streamed requests: pieces in, pieces out, and what the next request on the connection sees.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <boost/asio/redirect_error.hpp>
#include <thread>

#include "net/http_server.h"
#include "net/system_ports.h"
#include "net/timers.h"
#include "support/loopback.h"
#include "support/run_task.h"

namespace brickgate {
namespace {

using testing::RawClient;

SystemClock const clock_;
AsioTimers timers_(clock_);

bool streams(ServerRequest const& request) {
    return request.path.starts_with("/stream");
}

// Reads the whole body, then answers with its size and its bytes in pieces as they came.
Task<void> echo(Exchange& exchange, bool length_known) {
    std::string all;
    for (;;) {
        auto const piece = co_await exchange.read_body();
        if (!piece) {
            exchange.abort();
            co_return;
        }
        if (piece->empty()) {
            break;
        }
        all += *piece;
    }
    exchange.begin(200, "X-Way: stream\r\n",
                   length_known ? std::optional<std::uint64_t>(all.size()) : std::nullopt);
    std::string_view rest = all;
    while (!rest.empty()) {
        bool const out = co_await exchange.write(rest.substr(0, 100'000));
        if (!out) {
            co_return;
        }
        rest.remove_prefix(std::min<std::size_t>(100'000, rest.size()));
    }
    (void)co_await exchange.finish();
}

std::atomic<int> departures = 0;

Task<void> stream(Exchange& exchange) {
    auto const path = exchange.request().path;
    if (path == "/stream/echo" || path == "/stream/chunked") {
        co_await echo(exchange, path == "/stream/echo");
    } else if (path == "/stream/refuse") {
        ServerResponse response;
        response.status = 403;
        response.body = "no";
        (void)co_await exchange.answer(std::move(response));
    } else if (path == "/stream/broken") {
        exchange.begin(200, "", 100);
        (void)co_await exchange.write("only this");
        exchange.abort();
    } else if (path == "/stream/short") {
        exchange.begin(200, "", 100);
        (void)co_await exchange.write("only this");
        (void)co_await exchange.finish();
    } else if (path == "/stream/long") {
        exchange.begin(200, "", 3);
        (void)co_await exchange.write("more than three");
        (void)co_await exchange.finish();
    } else if (path == "/stream/204") {
        exchange.begin(204, "", std::nullopt);
        (void)co_await exchange.finish();
    } else if (path == "/stream/304") {
        exchange.begin(304, "ETag: \"a\"\r\n", std::nullopt);
        (void)co_await exchange.finish();
    } else if (path == "/stream/ticks") {
        exchange.begin(200, "Content-Type: text/event-stream\r\n", std::nullopt);
        for (char const* tick : {"one", "two"}) {
            (void)co_await exchange.write(tick);
            co_await timers_.sleep_for(Milliseconds(200));
        }
        (void)co_await exchange.finish();
    } else if (path == "/stream/head") {
        exchange.begin(200, "X-Way: head first\r\n", 3);
        (void)co_await exchange.flush();
        co_await timers_.sleep_for(Milliseconds(300));
        (void)co_await exchange.write("abc");
        (void)co_await exchange.finish();
    } else if (path == "/stream/waits") {
        SteadyTimer never(co_await boost::asio::this_coro::executor,
                          SteadyTimer::time_point::max());
        exchange.when_gone([&never] { never.cancel(); });
        boost::system::error_code ec;
        co_await never.async_wait(boost::asio::redirect_error(use_task, ec));
        exchange.when_gone({});
        departures += exchange.is_gone() ? 1 : 0;
        exchange.abort();
    } else if (path == "/stream/throws") {
        throw std::runtime_error("inner words");
    }
}

Task<ServerResponse> plain(ServerRequest const& request) {
    ServerResponse response;
    response.body = "plain " + std::string(request.path) + " [" + std::string(request.body) + "]";
    co_return response;
}

class Server {
 public:
    explicit Server(ServerLimits limits = {}) : guard_(context_.get_executor()) {
        ServerOptions options;
        options.executors = {context_.get_executor()};
        options.limits = limits;
        options.handler = plain;
        options.streams = streams;
        options.stream = stream;
        server_ = std::make_unique<HttpServer>(std::move(options), clock_);
        auto const address = server_->listen_tcp(ListenerKind::both, "127.0.0.1:0").value();
        port_ = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
        server_->start();
        thread_ = std::thread([this] { context_.run(); });
    }
    ~Server() {
        testing::run_task(server_->drain(Milliseconds(0)));
        guard_.reset();
        context_.stop();
        thread_.join();
    }
    std::uint16_t port() const { return port_; }

 private:
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<Executor> guard_;
    std::unique_ptr<HttpServer> server_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

bool has(std::string const& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

std::string head(std::string const& method, std::string const& path, std::string const& more = "") {
    return method + " " + path + " HTTP/1.1\r\nHost: a\r\n" + more + "\r\n";
}

std::string chunked(std::string const& body, std::size_t size) {
    std::string out;
    for (std::size_t at = 0; at < body.size(); at += size) {
        auto const piece = body.substr(at, size);
        char digits[16];
        snprintf(digits, sizeof digits, "%zx", piece.size());
        out += std::string(digits) + "\r\n" + piece + "\r\n";
    }
    return out + "0\r\n\r\n";
}

std::string pattern(std::size_t size) {
    std::string out(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        out[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    }
    return out;
}

TEST(HttpExchange, a_body_arrives_whole_whatever_pieces_the_network_makes_of_it) {
    Server server;
    std::string const body = pattern(700);
    std::string const sized =
        head("POST", "/stream/echo", "Content-Length: 700\r\n") + body + head("GET", "/next");
    std::string const in_chunks = head("POST", "/stream/echo", "Transfer-Encoding: chunked\r\n") +
                                  chunked(body, 97) + head("GET", "/next");
    for (std::string const& bytes : {sized, in_chunks}) {
        // Every boundary class is met by cutting at each place of the head, and then more coarsely.
        for (std::size_t cut = 1; cut < bytes.size(); cut += cut < 120 ? 1 : 13) {
            RawClient client(server.port());
            client.send(bytes.substr(0, cut));
            client.send(bytes.substr(cut));
            std::string const first = client.receive_answer();
            EXPECT_TRUE(first.ends_with("\r\n\r\n" + body)) << cut << first.substr(0, 200);
            EXPECT_TRUE(has(first, "X-Way: stream\r\n"));
            EXPECT_TRUE(client.receive_answer().ends_with("plain /next []")) << cut;
        }
    }
}

TEST(HttpExchange, megabytes_go_both_ways_and_the_connection_lives_on) {
    Server server;
    RawClient client(server.port());
    std::string const body = pattern(5'000'000);
    std::thread sender([&] {
        client.send(head("PUT", "/stream/echo", "Content-Length: 5000000\r\n"));
        client.send(body);
    });
    std::string const answer = client.receive_answer();
    sender.join();
    EXPECT_TRUE(answer.ends_with(body));
    client.send(head("GET", "/next"));
    EXPECT_TRUE(client.receive_answer().ends_with("plain /next []"));
}

TEST(HttpExchange, an_unknown_length_is_chunked_or_ends_with_the_connection) {
    Server server;
    RawClient client(server.port());
    client.send(head("POST", "/stream/chunked", "Content-Length: 5\r\nConnection: close\r\n") +
                "hello");
    std::string const answer = client.receive_all();
    EXPECT_TRUE(has(answer, "Transfer-Encoding: chunked\r\n"));
    EXPECT_TRUE(answer.ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n")) << answer;

    RawClient old(server.port());
    old.send("POST /stream/chunked HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello");
    std::string const plain_answer = old.receive_all();
    EXPECT_FALSE(has(plain_answer, "chunked"));
    EXPECT_TRUE(plain_answer.ends_with("\r\n\r\nhello")) << plain_answer;
}

TEST(HttpExchange, a_client_that_expects_100_is_told_when_its_body_is_wanted_and_not_before) {
    Server server;
    RawClient client(server.port());
    client.send(head("POST", "/stream/echo", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
    EXPECT_EQ(client.receive(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    EXPECT_TRUE(client.receive_answer().ends_with("\r\n\r\nhello"));

    RawClient refused(server.port());
    refused.send(head("POST", "/stream/refuse", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
    std::string const answer = refused.receive_all();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 403 ")) << answer;
    EXPECT_TRUE(has(answer, "Connection: close\r\n"));
}

TEST(HttpExchange, a_refusal_before_the_body_ends_the_connection) {
    Server server;
    RawClient client(server.port());
    client.send(head("POST", "/stream/refuse", "Content-Length: 50\r\n") + head("GET", "/next"));
    std::string const all = client.receive_all();
    EXPECT_TRUE(all.starts_with("HTTP/1.1 403 "));
    EXPECT_FALSE(has(all, "plain /next"));  // the fifty bytes might have been a request
}

TEST(HttpExchange, what_breaks_off_never_looks_whole) {
    Server server;
    for (char const* path : {"/stream/broken", "/stream/short", "/stream/long"}) {
        RawClient client(server.port());
        client.send(head("GET", path));
        std::string const all = client.receive_all();
        EXPECT_FALSE(has(all, "more than three")) << all;
        auto const body = all.find("\r\n\r\n");
        bool const whole = body != std::string::npos && has(all, "Content-Length: 100") &&
                           all.size() - body - 4 >= 100;
        EXPECT_FALSE(whole) << path;
        client.send(head("GET", "/next"));
        EXPECT_FALSE(has(client.receive_all(), "plain"));
    }
}

TEST(HttpExchange, answers_without_a_body_have_none) {
    Server server;
    RawClient client(server.port());
    for (auto const& [path, status] :
         {std::pair("/stream/204", "204"), std::pair("/stream/304", "304")}) {
        client.send(head("GET", path) + head("GET", "/next"));
        std::string const answer = client.receive_answer();
        EXPECT_EQ(answer.substr(9, 3), status);
        EXPECT_FALSE(has(answer, "Transfer-Encoding"));
        EXPECT_TRUE(client.receive_answer().ends_with("plain /next []")) << path;
    }
    client.send("HEAD /stream/ticks HTTP/1.1\r\nHost: a\r\n\r\n" + head("GET", "/next"));
    std::string const all = client.receive_answer() + client.receive_answer();
    EXPECT_FALSE(has(all, "one"));
    EXPECT_TRUE(all.ends_with("plain /next []")) << all;
}

TEST(HttpExchange, pieces_leave_as_they_are_written) {
    Server server;
    RawClient client(server.port());
    client.send(head("GET", "/stream/ticks"));
    std::string const first = client.receive();
    EXPECT_TRUE(has(first, "3\r\none\r\n")) << first;
    EXPECT_FALSE(has(first, "two"));
}

TEST(HttpExchange, the_head_can_leave_before_there_is_anything_of_the_body) {
    Server server;
    RawClient client(server.port());
    client.send(head("GET", "/stream/head"));
    std::string const first = client.receive();
    EXPECT_TRUE(has(first, "X-Way: head first\r\n"));
    EXPECT_TRUE(first.ends_with("\r\n\r\n")) << first;
    EXPECT_EQ(client.receive(), "abc");
}

TEST(HttpExchange, a_client_that_leaves_while_we_wait_for_others_is_noticed) {
    Server server;
    int const before = departures;
    {
        RawClient client(server.port());
        client.send(head("GET", "/stream/waits"));
        std::this_thread::sleep_for(Milliseconds(50));
    }
    for (int i = 0; i < 1000 && departures == before; ++i) {
        std::this_thread::sleep_for(Milliseconds(5));
    }
    EXPECT_EQ(departures, before + 1);
}

TEST(HttpExchange, a_handler_that_throws_is_an_internal_error) {
    Server server;
    RawClient client(server.port());
    client.send(head("GET", "/stream/throws"));
    std::string const answer = client.receive_answer();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 "));
    EXPECT_FALSE(has(answer, "inner words"));
}

TEST(HttpExchange, T51_a_body_that_comes_too_slowly_is_not_waited_for) {
    Server server({.body_slack = Seconds(1)});
    RawClient client(server.port());
    client.send(head("POST", "/stream/echo", "Content-Length: 100\r\n"));
    std::string got;
    for (int i = 0; i < 100 && got.empty(); ++i) {
        client.send("a");  // at five bytes a second it would be here after twenty
        std::this_thread::sleep_for(Milliseconds(50));
        if (i == 99) {
            got = "still waited for";
        }
        pollfd ready{client.fd(), POLLIN | POLLHUP, 0};
        if (::poll(&ready, 1, 150) == 1) {
            break;
        }
    }
    EXPECT_EQ(got, "");
    EXPECT_EQ(client.receive_all(), "");
}

TEST(HttpExchange, T39_a_broken_chunk_ends_the_connection) {
    Server server;
    for (char const* body : {"zz\r\nhello\r\n", "5\r\nhelloXX0\r\n\r\n", "-5\r\n", "5;"}) {
        RawClient client(server.port());
        client.send(head("POST", "/stream/echo", "Transfer-Encoding: chunked\r\n") + body +
                    "\r\n\r\n" + head("GET", "/smuggled"));
        EXPECT_FALSE(has(client.receive_all(), "plain /smuggled")) << body;
    }
}

}  // namespace
}  // namespace brickgate

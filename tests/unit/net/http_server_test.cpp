// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <thread>

#include "net/bridge.h"
#include "net/http_session.h"
#include "net/system_ports.h"
#include "net/timers.h"
#include "support/loopback.h"
#include "support/run_task.h"

namespace brickgate {
namespace {

using testing::RawClient;

SystemClock const clock_;
AsioTimers timers_(clock_);

// What the handler saw, as the body of its answer.
Task<ServerResponse> echo(ServerRequest const& request) {
    if (request.path == "/slow") {
        co_await timers_.sleep_for(Milliseconds(300));
    }
    if (request.path == "/throws") {
        throw std::runtime_error("inner words");
    }
    ServerResponse response;
    if (request.path == "/large") {
        response.body = std::string(20'000'000, 'x');
        co_return response;
    }
    if (request.path == "/splitting") {
        response.headers.add("Location", "/a\r\nSet-Cookie: evil=1");
        co_return response;
    }
    response.headers.add("X-Peer", std::string(request.peer_address));
    response.headers.add("X-Uid", request.peer_uid ? std::to_string(*request.peer_uid) : "none");
    response.body = std::string(request.method) + " " + std::string(request.target) + " [" +
                    std::string(request.body) + "]";
    co_return response;
}

bool fast(ServerRequest const& request, ResponseBuffer& response) {
    if (request.path != "/fast") {
        return false;
    }
    response.send(200, "Content-Type: text/plain\r\n", "quick");
    return true;
}

// A server on two threads of its own, for the length of a test.
class Server {
 public:
    explicit Server(ServerLimits limits = {}, ServerOptions options = {}) {
        for (auto& context : contexts_) {
            options.executors.push_back(context.get_executor());
        }
        options.limits = limits;
        options.constant_lines = "X-Constant: yes\r\n";
        options.fast = fast;
        options.handler = echo;
        server_ = std::make_unique<HttpServer>(std::move(options), clock_);
        address_ = server_->listen_tcp(ListenerKind::both, "127.0.0.1:0").value();
    }
    ~Server() {
        if (!threads_.empty()) {
            drain(Milliseconds(0));
        }
        guards_.clear();
        for (auto& context : contexts_) {
            context.stop();
        }
        for (auto& thread : threads_) {
            thread.join();
        }
    }
    Server& start() {
        server_->start();
        for (auto& context : contexts_) {
            guards_.emplace_back(context.get_executor());
            threads_.emplace_back([&context] { context.run(); });
        }
        return *this;
    }
    void drain(Milliseconds grace) { testing::run_task(server_->drain(grace)); }
    std::uint16_t port() const {
        return static_cast<std::uint16_t>(std::stoi(address_.substr(address_.rfind(':') + 1)));
    }
    HttpServer& get() { return *server_; }

 private:
    std::array<boost::asio::io_context, 2> contexts_;
    std::vector<boost::asio::executor_work_guard<Executor>> guards_;
    std::unique_ptr<HttpServer> server_;
    std::string address_;
    std::vector<std::thread> threads_;
};

std::string get(std::string const& path, std::string const& more = "") {
    return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + more + "\r\n";
}

int status_of(std::string const& answer) {
    return answer.size() > 12 ? std::stoi(answer.substr(9, 3)) : 0;
}
bool has(std::string const& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

TEST(HttpServer, answers_in_one_piece_and_keeps_the_connection) {
    Server server;
    server.start();
    RawClient client(server.port());
    for (int i = 0; i < 3; ++i) {
        client.send("POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        std::string const answer = client.receive_answer();
        EXPECT_EQ(status_of(answer), 200);
        EXPECT_TRUE(answer.ends_with("\r\n\r\nPOST /a?b=c [hello]")) << answer;
        EXPECT_TRUE(has(answer, "X-Constant: yes\r\n"));
        EXPECT_TRUE(has(answer, "Date: "));
        EXPECT_TRUE(has(answer, "X-Peer: 127.0.0.1\r\n"));
        EXPECT_FALSE(has(answer, "Server:"));
    }
    client.send(get("/fast"));
    EXPECT_TRUE(client.receive_answer().ends_with("\r\n\r\nquick"));
    EXPECT_EQ(server.get().counts().requests, 4U);
    EXPECT_EQ(server.get().counts().accepted, 1U);
}

TEST(HttpServer, pipelined_requests_are_answered_in_order_fast_and_slow_mixed) {
    Server server;
    server.start();
    RawClient client(server.port());
    client.send(get("/fast") + get("/slow") + get("/fast") + get("/1") +
                get("/2", "Connection: close\r\n"));
    std::string const all = client.receive_all();
    auto const first = all.find("quick");
    auto const slow = all.find("GET /slow");
    auto const second = all.find("quick", slow);
    auto const one = all.find("GET /1");
    auto const two = all.find("GET /2");
    EXPECT_TRUE(first < slow && slow < second && second < one && one < two) << all;
    EXPECT_NE(two, std::string::npos);
}

TEST(HttpServer, a_thousand_pipelined_requests_in_small_pieces_get_a_thousand_answers) {
    Server server;
    server.start();
    RawClient client(server.port());
    std::string all;
    for (int i = 0; i < 1000; ++i) {
        all += get(i % 2 == 0 ? "/fast" : "/" + std::to_string(i));
    }
    std::thread sender([&] {
        for (std::size_t at = 0; at < all.size(); at += 1777) {
            client.send(std::string_view(all).substr(at, 1777));
        }
    });
    for (int i = 0; i < 1000; ++i) {
        std::string const answer = client.receive_answer();
        std::string const wanted = i % 2 == 0 ? "quick" : "GET /" + std::to_string(i) + " []";
        ASSERT_TRUE(answer.ends_with("\r\n\r\n" + wanted)) << i << ": " << answer;
    }
    sender.join();
}

TEST(HttpServer, head_has_the_length_and_not_the_body) {
    Server server;
    server.start();
    RawClient client(server.port());
    client.send("HEAD /fast HTTP/1.1\r\nHost: a\r\n\r\n");
    std::string const answer = client.receive_answer(true);
    EXPECT_TRUE(has(answer, "Content-Length: 5\r\n"));
    EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
    client.send(get("/fast"));
    EXPECT_TRUE(client.receive_answer().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST(HttpServer, http_1_0_closes_unless_asked_not_to) {
    Server server;
    server.start();
    RawClient closing(server.port());
    closing.send("GET /a HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(has(closing.receive_all(), "Connection: close\r\n"));
    RawClient keeping(server.port());
    keeping.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_TRUE(has(keeping.receive_answer(), "Connection: keep-alive\r\n"));
    keeping.send("GET /a HTTP/1.0\r\n\r\n");
    EXPECT_EQ(status_of(keeping.receive_answer()), 200);
}

TEST(HttpServer, expect_100_continue_is_answered_before_the_body_and_only_where_it_is_wanted) {
    Server server;
    server.start();
    RawClient client(server.port());
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(client.receive(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    EXPECT_TRUE(client.receive_answer().ends_with("[hello]"));
    client.send(
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n");
    std::string const answer = client.receive_all();
    EXPECT_EQ(status_of(answer), 413);
}

TEST(HttpServer, each_limit_is_answered_by_its_status_and_ends_the_connection) {
    Server server;
    server.start();
    struct {
        std::string bytes;
        int status;
        char const* code;
    } const table[] = {
        {get("/" + std::string(9000, 'a')), 414, "uri_too_long"},
        {get("/", "X: " + std::string(40'000, 'a') + "\r\n"), 431, "headers_too_large"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n" + std::string(70'000, 'a'),
         413, "request_too_large"},
        {"nonsense\r\n\r\n", 400, "invalid_request"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n" +
             get("/smuggled"),
         400, "invalid_request"},
    };
    for (auto const& row : table) {
        RawClient client(server.port());
        client.send(row.bytes);
        std::string const all = client.receive_all();
        EXPECT_EQ(status_of(all), row.status) << row.bytes.substr(0, 50);
        EXPECT_TRUE(has(all, std::string("\"code\":\"") + row.code + "\"")) << all;
        EXPECT_TRUE(has(all, "Connection: close\r\n"));
        EXPECT_TRUE(has(all, "X-Frame-Options: DENY\r\n"));  // T25: on errors too
        EXPECT_FALSE(has(all, "smuggled"));
    }
    EXPECT_EQ(server.get().counts().requests, 0U);
    EXPECT_EQ(server.get().counts().refused, std::size(table));
}

TEST(HttpServer, a_refusal_is_followed_by_an_end_and_not_by_a_reset_that_overtakes_it) {
    Server server;
    server.start();
    RawClient client(server.port());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n" +
                std::string(400'000, 'a'));
    EXPECT_EQ(status_of(client.receive()), 413);
    client.end_sending();
    char byte = 0;
    EXPECT_EQ(::recv(client.fd(), &byte, 1, 0), 0);
}

TEST(HttpServer, after_a_malformed_request_nothing_more_of_the_connection_is_read) {
    Server server;
    server.start();
    RawClient client(server.port());
    client.send(get("/1") + "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + get("/2"));
    std::string const all = client.receive_all();
    EXPECT_TRUE(has(all, "GET /1 []"));
    EXPECT_FALSE(has(all, "GET /2"));
    EXPECT_EQ(server.get().counts().requests, 1U);
}

TEST(HttpServer, a_handler_that_throws_or_splits_headers_is_an_internal_error) {
    Server server;
    server.start();
    RawClient client(server.port());
    for (char const* path : {"/throws", "/splitting"}) {
        client.send(get(path));
        std::string const answer = client.receive_answer();
        EXPECT_EQ(status_of(answer), 500);
        EXPECT_FALSE(has(answer, "evil"));
        EXPECT_FALSE(has(answer, "inner words"));
    }
    client.send(get("/fast"));
    EXPECT_EQ(status_of(client.receive_answer()), 200);
}

TEST(HttpServer, what_no_handler_has_told_is_told_as_the_layer_above_words_it) {
    ServerOptions options;
    options.render = [](ServerRequest const& request, Error const& error) {
        ServerResponse page;
        page.status = error.http_status();
        page.body = "<h1>" + std::string(error.name()) + "</h1> " + std::string(request.method) +
                    "|" + std::string(request.path) + "|" +
                    (request.listener == ListenerKind::both ? "both" : "?");
        return page;
    };
    Server server({}, std::move(options));
    server.start();
    struct {
        std::string bytes;
        std::string told;
    } const table[] = {
        {get("/throws"), "<h1>internal</h1> GET|/throws|both"},
        {get("/" + std::string(9000, 'a')),
         "<h1>uri_too_long</h1> GET|/" + std::string(255, 'a') + "|both"},
        {get("/auth?x=1", "X: " + std::string(40'000, 'a') + "\r\n"),
         "<h1>headers_too_large</h1> GET|/auth|both"},
        {"nonsense\r\n\r\n", "<h1>invalid_request</h1> ||both"},
        {get("/1") + "PUT /2 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
         "<h1>invalid_request</h1> PUT|/2|both"},
    };
    for (auto const& row : table) {
        RawClient client(server.port());
        client.send(row.bytes);
        std::string all;
        do {
            all = client.receive_answer();
        } while (has(all, "GET /1 []"));
        EXPECT_TRUE(has(all, row.told)) << all;
        EXPECT_FALSE(has(all, "inner words"));
    }
}

TEST(HttpServer, a_large_answer_reaches_a_client_that_reads_late) {
    Server server;
    server.start();
    RawClient client(server.port());
    client.send(get("/large", "Connection: close\r\n"));
    std::this_thread::sleep_for(Milliseconds(50));
    EXPECT_GT(client.receive_all().size(), 20'000'000U);
}

TEST(HttpServer, slow_and_silent_clients_are_ended) {
    Server server({.idle = Seconds(1), .header = Seconds(1), .write_slack = Seconds(1)});
    server.start();
    RawClient silent(server.port());
    RawClient slow(server.port());
    RawClient deaf(server.port());
    slow.send("GET / HTTP/1.1\r\nHost");
    deaf.send(get("/large"));
    for (int i = 0; i < 100 && server.get().counts().connections < 3; ++i) {
        std::this_thread::sleep_for(Milliseconds(10));
    }
    EXPECT_EQ(silent.receive(), "");
    EXPECT_EQ(slow.receive(), "");
    for (int i = 0; i < 1000 && server.get().counts().connections > 0; ++i) {
        std::this_thread::sleep_for(Milliseconds(10));
    }
    EXPECT_EQ(server.get().counts().connections, 0U);
    EXPECT_EQ(server.get().counts().refused, 2U);  // idle is no fault
}

TEST(HttpServer, T51_beyond_the_most_connections_the_longest_idle_one_makes_room) {
    Server server({.connections_max = 2});
    server.start();
    RawClient first(server.port());  // connections go to the two shards in turn
    RawClient second(server.port());
    for (RawClient* client : {&first, &second}) {
        client->send(get("/fast"));
        EXPECT_EQ(status_of(client->receive_answer()), 200);
    }
    RawClient third(server.port());
    third.send(get("/fast"));
    EXPECT_EQ(status_of(third.receive_answer()), 200);
    EXPECT_EQ(first.receive(), "");
    second.send(get("/fast"));
    EXPECT_EQ(status_of(second.receive_answer()), 200);
}

TEST(HttpServer, T51_where_nobody_is_idle_the_new_connection_is_closed_at_once) {
    Server server({.connections_max = 1});
    server.start();
    RawClient busy(server.port());
    busy.send(get("/slow"));
    for (int i = 0; i < 500 && server.get().counts().requests < 1; ++i) {
        std::this_thread::sleep_for(Milliseconds(1));
    }
    RawClient second(server.port());
    second.send(get("/fast"));
    EXPECT_EQ(second.receive_all(), "");
    EXPECT_EQ(status_of(busy.receive_answer()), 200);
}

TEST(HttpServer, drain_answers_what_is_under_way_and_ends_the_rest) {
    Server server;
    server.start();
    RawClient idle(server.port());
    idle.send(get("/fast"));
    EXPECT_EQ(status_of(idle.receive_answer()), 200);
    RawClient busy(server.port());
    busy.send(get("/slow"));
    for (int i = 0; i < 500 && server.get().counts().requests < 2; ++i) {
        std::this_thread::sleep_for(Milliseconds(1));
    }
    server.drain(std::chrono::hours(1));  // nobody is waited for but the busy one
    EXPECT_EQ(idle.receive(), "");
    std::string const answer = busy.receive_all();
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_TRUE(has(answer, "Connection: close\r\n"));
    EXPECT_FALSE(RawClient(server.port()).connected());
    EXPECT_EQ(server.get().counts().connections, 0U);
}

TEST(HttpServer, drain_does_not_wait_beyond_its_grace) {
    Server server;
    server.start();
    RawClient half(server.port());
    half.send("GET / HTTP/1.1\r\n");
    for (int i = 0; i < 500 && server.get().counts().connections < 1; ++i) {
        std::this_thread::sleep_for(Milliseconds(1));
    }
    server.drain(Milliseconds(50));
    EXPECT_EQ(half.receive(), "");
}

TEST(HttpServer, a_taken_port_is_named_and_a_bad_address_refused) {
    Server server;
    auto const again =
        server.get().listen_tcp(ListenerKind::both, "127.0.0.1:" + std::to_string(server.port()));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), ErrorCode::address_in_use);
    EXPECT_TRUE(has(again.error().message(), std::to_string(server.port())))
        << again.error().message();
    for (char const* text :
         {"", "3000", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "[::1]", "example.com:80"}) {
        auto const bad = server.get().listen_tcp(ListenerKind::both, text);
        ASSERT_FALSE(bad) << text;
        EXPECT_EQ(bad.error().code(), ErrorCode::config_invalid) << text;
    }
    EXPECT_TRUE(server.get().listen_tcp(ListenerKind::public_, "localhost:0"));
}

TEST(ConnectionCount, T50_a_subscribers_network_is_one_caller) {
    ConnectionCount count;
    EXPECT_TRUE(count.add("2001:db8:1:2::1", 2));
    EXPECT_TRUE(count.add("2001:db8:1:2:ffff::2", 2));
    EXPECT_FALSE(count.add("2001:db8:1:2::3", 2));
    EXPECT_TRUE(count.add("2001:db8:1:3::1", 2));
    count.remove("2001:db8:1:2::1");
    EXPECT_TRUE(count.add("2001:db8:1:2::3", 2));
    EXPECT_TRUE(count.add("192.0.2.1", 1));
    EXPECT_TRUE(count.add("192.0.2.2", 1));
    EXPECT_FALSE(count.add("192.0.2.2", 1));
}

std::string ask_socket(std::string const& path, std::string const& request) {
    int const fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    std::string answer;
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
        testing::send_all(fd, request);
        answer = testing::receive_some(fd);
    }
    ::close(fd);
    return answer;
}

TEST(HttpServer, the_local_socket_is_private_and_knows_who_asks) {
    std::string const path = (std::filesystem::temp_directory_path() /
                              ("bg-net-test-" + std::to_string(getpid()) + ".sock"))
                                 .string();
    {
        Server server;
        ASSERT_TRUE(server.get().listen_unix(path));
        struct stat found{};
        ASSERT_EQ(stat(path.c_str(), &found), 0);
        EXPECT_EQ(found.st_mode & 0777U, 0600U);
        auto const taken = server.get().listen_unix(path);
        ASSERT_FALSE(taken);
        EXPECT_EQ(taken.error().code(), ErrorCode::address_in_use);
        server.start();
        std::string const answer = ask_socket(path, get("/a"));
        EXPECT_TRUE(has(answer, "X-Uid: " + std::to_string(getuid()) + "\r\n")) << answer;
        EXPECT_TRUE(has(answer, "X-Peer: \r\n"));
    }
    EXPECT_FALSE(std::filesystem::exists(path));  // drain removed it
}

TEST(HttpServer, a_socket_file_left_behind_is_replaced_and_another_file_is_not) {
    std::string const path = (std::filesystem::temp_directory_path() /
                              ("bg-net-test2-" + std::to_string(getpid()) + ".sock"))
                                 .string();
    int const fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ::close(fd);
    {
        Server server;
        EXPECT_TRUE(server.get().listen_unix(path));
    }
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);
    Server server;
    EXPECT_FALSE(server.get().listen_unix(path));
    EXPECT_FALSE(server.get().listen_unix("/tmp/" + std::string(200, 'a')));
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace brickgate

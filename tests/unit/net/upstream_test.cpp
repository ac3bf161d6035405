// SPDX-License-Identifier: Apache-2.0
// Connections to a workspace as conversations with a scripted one, byte by byte.
#include "net/upstream.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>

#include "net/system_ports.h"
#include "support/loopback.h"
#include "support/run_task.h"

namespace brickgate {
namespace {

using testing::receive_request;
using testing::ScriptedServer;
using testing::send_all;

SystemClock const clock_;

struct Got {
    std::optional<ErrorCode> failure;
    bool maybe_sent = false;
    int status = 0;
    std::string body;
    std::optional<ErrorCode> broken;
    bool reused = false;
    std::optional<std::uint64_t> length;
};

class Client {
 public:
    // Reading the system's authorities takes a while; most tests share what they make no use of.
    Client() {
        static auto const ordinary = *UpstreamShared::create("", "", {}, {}, clock_);
        pool_ = std::make_unique<UpstreamPool>(context_.get_executor(), ordinary);
    }
    explicit Client(UpstreamLimits limits, std::vector<std::string> own = {}) {
        auto shared = UpstreamShared::create("", "", std::move(own), limits, clock_);
        pool_ = std::make_unique<UpstreamPool>(context_.get_executor(), *shared);
    }
    ~Client() { pool_->stop(); }

    Got call(std::uint16_t port, std::string method = "GET", std::string body = "",
             bool listed = true) {
        UpstreamOrigin origin = *UpstreamOrigin::of("http://127.0.0.1:" + std::to_string(port));
        origin.egress.operator_listed = listed;
        return testing::run_task(context_,
                                 one(std::move(origin), std::move(method), std::move(body)));
    }
    UpstreamPool& pool() { return *pool_; }
    boost::asio::io_context& context() { return context_; }

 private:
    Task<Got> one(UpstreamOrigin origin, std::string method, std::string body) {
        Got got;
        auto const fail_with = [&](TransportError const& error) {
            got.failure = error.error.code();
            got.maybe_sent = error.sent == Sent::maybe_sent;
        };
        auto acquired = co_await pool_->acquire(origin, false);
        if (!acquired) {
            fail_with(acquired.error());
            co_return got;
        }
        auto connection = std::move(*acquired);
        got.reused = connection->is_reused();
        std::string const head = method + " /x HTTP/1.1\r\nHost: " + origin.authority() +
                                 "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
        auto const sent = co_await connection->send(head, body);
        if (!sent) {
            fail_with(sent.error());
            co_return got;
        }
        auto const answer = co_await connection->receive_head(method == "HEAD");
        if (!answer) {
            fail_with(answer.error());
            co_return got;
        }
        got.status = (*answer)->status;
        got.length = (*answer)->length;
        for (;;) {
            auto const piece = co_await connection->read_body(Seconds(5));
            if (!piece) {
                got.broken = piece.error().code();
                co_return got;
            }
            if (piece->empty()) {
                break;
            }
            got.body += *piece;
        }
        pool_->give_back(std::move(connection));
        co_return got;
    }

    boost::asio::io_context context_{1};
    std::unique_ptr<UpstreamPool> pool_;
};

// Answers every request on a connection with the same bytes.
ScriptedServer::Script saying(std::string answer, bool then_close = false) {
    return [answer = std::move(answer), then_close](int fd, int) {
        while (!receive_request(fd).empty()) {
            send_all(fd, answer);
            if (then_close) {
                return;
            }
        }
    };
}

TEST(Upstream, reads_every_framing_and_keeps_what_can_be_kept) {
    struct Row {
        char const* what;
        std::string answer;
        std::string body;
        bool closes = false;
        bool kept = true;
    };
    std::string const ok = "HTTP/1.1 200 OK\r\n";
    Row const rows[] = {
        {"length", ok + "Content-Length: 5\r\n\r\nhello", "hello"},
        {"nothing", ok + "Content-Length: 0\r\n\r\n", ""},
        {"chunks", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
         "hello"},
        {"chunks with trailers and extensions",
         ok + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", "hello"},
        {"until the end", ok + "\r\nhello", "hello", true, false},
        {"interim answers",
         "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok +
             "Content-Length: 2\r\n\r\nhi",
         "hi"},
        {"asks to close", ok + "Connection: close\r\nContent-Length: 2\r\n\r\nhi", "hi", false,
         false},
        {"no content", "HTTP/1.1 204 No Content\r\n\r\n", ""},
        {"more than was announced", ok + "Content-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n", "hi",
         false, false},
    };
    for (Row const& row : rows) {
        ScriptedServer server(saying(row.answer, row.closes));
        Client client;
        Got const got = client.call(server.port());
        EXPECT_EQ(got.failure, std::nullopt) << row.what;
        EXPECT_EQ(got.broken, std::nullopt) << row.what;
        EXPECT_EQ(got.body, row.body) << row.what;
        EXPECT_EQ(client.pool().kept(), row.kept ? 1U : 0U) << row.what;
        Got const again = client.call(server.port());
        EXPECT_EQ(again.body, row.body) << row.what;
        EXPECT_EQ(again.reused, row.kept) << row.what;
    }
}

TEST(Upstream, to_a_head_request_an_announced_body_does_not_come) {
    ScriptedServer server(saying("HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n"));
    Client client;
    Got const got = client.call(server.port(), "HEAD");
    EXPECT_EQ(got.length, 5'000'000'000U);
    EXPECT_EQ(got.body, "");
    EXPECT_EQ(client.pool().kept(), 1U);
}

TEST(Upstream, T39_T41_what_can_be_read_in_two_ways_is_not_passed_on) {
    std::string const ok = "HTTP/1.1 200 OK\r\n";
    std::string const rows[] = {
        ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        ok + "Content-Length: +5\r\n\r\nhello",
        ok + "Content-Length: 5, 5\r\n\r\nhello",
        ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ok + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        ok + "X: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
        ok + "X: a\nY: b\r\nContent-Length: 0\r\n\r\n",
        ok + "X : a\r\nContent-Length: 0\r\n\r\n",
        ok + std::string("X: a\0b\r\nContent-Length: 0\r\n\r\n", 29),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
        "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "<html>\r\n\r\n",
    };
    for (std::string const& answer : rows) {
        ScriptedServer server(saying(answer, true));
        Client client;
        Got const got = client.call(server.port());
        EXPECT_EQ(got.failure, ErrorCode::upstream_malformed) << answer;
        EXPECT_TRUE(got.maybe_sent);
        EXPECT_EQ(client.pool().kept(), 0U);
    }
}

TEST(Upstream, an_answer_cut_anywhere_is_broken_and_never_short) {
    std::string const ok = "HTTP/1.1 200 OK\r\n";
    std::string const body = "0123456789";
    std::string const rows[] = {
        ok + "Content-Length: 10\r\n\r\n" + body,
        ok + "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n",
    };
    for (std::string const& whole : rows) {
        for (std::size_t cut = 0; cut < whole.size(); ++cut) {
            ScriptedServer server(saying(whole.substr(0, cut), true));
            Client client;
            Got const got = client.call(server.port());
            EXPECT_TRUE(got.failure || got.broken) << cut;
            EXPECT_EQ(client.pool().kept(), 0U) << cut;
        }
    }
}

TEST(Upstream, a_kept_connection_that_the_workspace_closed_is_not_used) {
    std::atomic<int> served = 0;
    ScriptedServer server([&](int fd, int) {
        receive_request(fd);
        ++served;
        send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    Client client;
    EXPECT_EQ(client.call(server.port()).status, 200);
    ASSERT_EQ(client.pool().kept(), 1U);
    std::this_thread::sleep_for(Milliseconds(100));  // until its end has arrived here
    Got const got = client.call(server.port(), "POST", "once");
    EXPECT_EQ(got.status, 200);
    EXPECT_FALSE(got.reused);
    EXPECT_EQ(served, 2);
}

TEST(Upstream, an_answer_that_comes_before_the_body_is_read_is_heard) {
    ScriptedServer server([](int fd, int) {
        testing::receive_some(fd);
        send_all(fd, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
        // Nothing more is read, and the connection stays open for a while.
        std::this_thread::sleep_for(Milliseconds(300));
    });
    Client client;
    Got const got = client.call(server.port(), "POST", std::string(20'000'000, 'x'));
    EXPECT_EQ(got.status, 413);
    EXPECT_EQ(got.body, "no");
    EXPECT_EQ(client.pool().kept(), 0U);
}

TEST(Upstream, what_never_left_is_known_not_to_be_sent) {
    std::uint16_t port = 0;
    {
        ScriptedServer gone([](int, int) {});
        port = gone.port();
    }
    Client client;
    Got const refused = client.call(port);
    EXPECT_EQ(refused.failure, ErrorCode::upstream_unreachable);
    EXPECT_FALSE(refused.maybe_sent);
}

TEST(Upstream, T28_an_address_that_is_not_public_is_only_for_hosts_that_the_operator_listed) {
    ScriptedServer server(saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    Client client;
    EXPECT_EQ(client.call(server.port(), "GET", "", false).failure, ErrorCode::egress_denied);
    EXPECT_EQ(server.connections(), 0);
    Client self({}, {"127.0.0.1:" + std::to_string(server.port())});
    EXPECT_EQ(self.call(server.port()).failure, ErrorCode::egress_denied);
    EXPECT_EQ(server.connections(), 0);
}

TEST(Upstream, a_workspace_that_does_not_answer_is_given_up) {
    ScriptedServer server([](int fd, int) {
        receive_request(fd);
        testing::receive_some(fd, 10'000);
    });
    Client client({.answer = Seconds(1)});
    boost::asio::co_spawn(client.context(), client.pool().sweep(), [](std::exception_ptr) {});
    std::thread stopper([&] {
        std::this_thread::sleep_for(Milliseconds(4000));
        boost::asio::post(client.context(), [&] { client.pool().stop(); });
    });
    Got const got = client.call(server.port());
    stopper.join();
    EXPECT_EQ(got.failure, ErrorCode::upstream_timeout);
    EXPECT_TRUE(got.maybe_sent);
}

TEST(UpstreamOrigin, is_what_the_row_says) {
    auto const plain = UpstreamOrigin::of("https://dbc-1.cloud.databricks.com");
    ASSERT_TRUE(plain);
    EXPECT_TRUE(plain->tls);
    EXPECT_EQ(plain->authority(), "dbc-1.cloud.databricks.com");
    EXPECT_EQ(UpstreamOrigin::of("http://127.0.0.1:3001")->authority(), "127.0.0.1:3001");
    EXPECT_EQ(UpstreamOrigin::of("https://[::1]:8443")->authority(), "[::1]:8443");
    EXPECT_EQ(UpstreamOrigin::of("https://[::1]:8443")->host, "::1");
    EXPECT_FALSE(UpstreamOrigin::of("ftp://a"));
    EXPECT_FALSE(UpstreamOrigin::of("https://"));
    EXPECT_FALSE(UpstreamOrigin::of("nonsense"));
}

}  // namespace
}  // namespace brickgate

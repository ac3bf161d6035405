// SPDX-License-Identifier: Apache-2.0
// RFC 8252 at the terminal's own listener (checklist B60 to B66).
#include "cli/receiver.h"

#include <gtest/gtest.h>

#include "cli/terminal.h"
#include "support/loopback.h"

namespace brickgate::cli {
namespace {

using testing::RawClient;

class ReceiverTest : public ::testing::Test {
 protected:
    void SetUp() override {
        int const wanted = free_port();
        auto const port = receiver_.listen(wanted, wanted);
        ASSERT_TRUE(port);
        port_ = static_cast<std::uint16_t>(*port);
    }
    std::string get(std::string const& target) const {
        RawClient client(port_);
        client.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        return client.receive_all();
    }
    std::optional<std::string> answer() {
        return receiver_.wait(Seconds(1), [](Seconds) {});
    }

    Receiver receiver_;
    std::uint16_t port_ = 0;
};

TEST_F(ReceiverTest, nat_loopback_noise_keeps_waiting) {
    EXPECT_TRUE(get("/?code=1&state=s").starts_with("HTTP/1.1 404")) << "nothing was begun yet";
    receiver_.expect("s-1+/=");
    for (std::string const target :
         {"/favicon.ico", "/", "/?code=abc", "/?state=s-1%2B%2F%3D", "/?code=abc&state=wrong",
          "/?error=access_denied", "/?code=abc&state=", "/callback?code=abc&state=s-1%2B%2F%3D",
          "/?code=%zz&state=s-1%2B%2F%3D"}) {
        EXPECT_TRUE(get(target).starts_with("HTTP/1.1 404")) << target;
    }
    EXPECT_TRUE(get("/signed-in").starts_with("HTTP/1.1 404")) << "nobody has yet";
    auto const taken = get("/?code=abc&state=s-1%2B%2F%3D");
    EXPECT_TRUE(taken.starts_with("HTTP/1.1 303"));
    EXPECT_NE(taken.find("Location: /signed-in\r\n"), std::string::npos) << "without the code";
    EXPECT_TRUE(get("/signed-in").starts_with("HTTP/1.1 200"));
    EXPECT_EQ(answer(), "code=abc&state=s-1%2B%2F%3D");
}

TEST_F(ReceiverTest, a_denial_is_an_answer) {
    receiver_.expect("s");
    EXPECT_TRUE(get("/?error=access_denied&state=s").starts_with("HTTP/1.1 303"));
    EXPECT_EQ(answer(), "error=access_denied&state=s");
}

TEST_F(ReceiverTest, only_the_first_answer_counts) {
    receiver_.expect("s");
    get("/?code=first&state=s");
    EXPECT_TRUE(get("/?code=second&state=s").starts_with("HTTP/1.1 404"));
    EXPECT_EQ(answer(), "code=first&state=s");
}

TEST_F(ReceiverTest, nobody_came) {
    receiver_.expect("s");
    EXPECT_EQ(answer(), std::nullopt);
}

TEST_F(ReceiverTest, nat_loopback_closed_right_after) {
    receiver_.expect("s");
    get("/?code=first&state=s");
    receiver_.close();
    EXPECT_FALSE(RawClient(port_).connected());
    EXPECT_TRUE(port_is_free(port_));
}

TEST_F(ReceiverTest, the_page_holds_nothing_of_the_answer_and_loads_nothing) {
    receiver_.expect("s");
    auto const page = get("/?code=dcode-canary&state=s");
    EXPECT_EQ(page.find("dcode-canary"), std::string::npos);
    EXPECT_NE(page.find("Cache-Control: no-store"), std::string::npos);
    EXPECT_NE(page.find("Referrer-Policy: no-referrer"), std::string::npos);
    EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
}

// B62: who has the other address of localhost could be sent the code.
TEST(Receiver, nat_loopback_bind_refuses_a_port_that_is_taken_on_either_address) {
    testing::ScriptedServer const taken([](int, int) {});
    Receiver receiver;
    auto const port = receiver.listen(taken.port(), taken.port());
    ASSERT_FALSE(port);
    EXPECT_EQ(port.error().code(), ErrorCode::address_in_use);

    int const fd = socket(AF_INET6, SOCK_STREAM, 0);
    int const on = 1;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    socklen_t size = sizeof(address);
    if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) {
        GTEST_SKIP() << "this machine has no IPv6";
    }
    listen(fd, 1);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    EXPECT_FALSE(receiver.listen(ntohs(address.sin6_port), ntohs(address.sin6_port)));
    close(fd);
}

TEST(Receiver, goes_on_to_the_next_port) {
    testing::ScriptedServer const taken([](int, int) {});
    Receiver receiver;
    auto const port = receiver.listen(taken.port(), taken.port() + 20);
    ASSERT_TRUE(port);
    EXPECT_GT(*port, taken.port());
}

}  // namespace
}  // namespace brickgate::cli

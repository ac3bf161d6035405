// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "cli/command.h"
#include "support/loopback.h"

namespace brickgate::cli {
namespace {

class Variable {
 public:
    Variable(char const* name, char const* value) : name_(name) { setenv(name, value, 1); }
    ~Variable() { unsetenv(name_); }
    Variable(Variable const&) = delete;
    Variable& operator=(Variable const&) = delete;

 private:
    char const* name_;
};

TEST(Terminal, a_port_somebody_listens_on_is_not_free) {
    testing::ScriptedServer const server([](int, int) {});
    EXPECT_FALSE(port_is_free(server.port()));
    int const port = free_port();
    EXPECT_GT(port, 0);
    EXPECT_TRUE(port_is_free(port));
}

// Browsers take localhost for ::1 first: the page of another program would open.
TEST(Terminal, a_port_somebody_listens_on_by_ipv6_alone_is_not_free) {
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
    EXPECT_FALSE(port_is_free(ntohs(address.sin6_port)));
    close(fd);
}

TEST(Terminal, the_port_of_an_address) {
    EXPECT_EQ(port_number("127.0.0.1:3000"), 3000);
    EXPECT_EQ(port_number("[::1]:3000"), 3000);
    EXPECT_EQ(port_number("3000"), 0);
    EXPECT_EQ(port_number("x:"), 0);
}

TEST(Terminal, the_ssh_line_is_there_only_over_ssh_and_is_whole) {
    unsetenv("SSH_CONNECTION");
    EXPECT_EQ(ssh_line({3000}), "");
    Variable const user("USER", "ada");
    {
        Variable const connection("SSH_CONNECTION", "203.0.113.7 50000 198.51.100.2 22");
        EXPECT_EQ(ssh_line({3000, 3001}),
                  "ssh -L 3000:127.0.0.1:3000 -L 3001:127.0.0.1:3001 ada@198.51.100.2");
    }
    Variable const connection("SSH_CONNECTION", "203.0.113.7 50000 198.51.100.2 2222");
    EXPECT_EQ(ssh_line({8020}), "ssh -L 8020:127.0.0.1:8020 -p 2222 ada@198.51.100.2");
}

TEST(Terminal, commands_are_named_as_they_can_be_typed) {
    EXPECT_EQ(command_name("brickgate"), "brickgate");
    EXPECT_EQ(command_name("/opt/brickgate"), "/opt/brickgate");
    EXPECT_EQ(command_name("/opt/brick gate"), "'/opt/brick gate'");
    EXPECT_EQ(command_name(""), "brickgate");
    Variable const script("__brickgate_called_as", "./run");
    EXPECT_EQ(command_name("/src/build/release/brickgate"), "./run brickgate");
}

TEST(Terminal, hints_name_commands_as_they_can_be_typed) {
    std::string const hint =
        "Use brickgate login HOST, or `brickgate doctor`; the brickgate daemon, notbrickgate token";
    EXPECT_EQ(as_typed(hint), hint);
    Variable const script("__brickgate_called_as", "../run");
    EXPECT_EQ(as_typed(hint),
              "Use ../run brickgate login HOST, or `../run brickgate doctor`; the brickgate "
              "daemon, notbrickgate token");
}

TEST(Terminal, what_a_shell_would_take_apart_is_quoted) {
    EXPECT_EQ(shell_word("/srv/data-1_2.x"), "/srv/data-1_2.x");
    EXPECT_EQ(shell_word("a b"), "'a b'");
    EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
    EXPECT_EQ(shell_word("~$(id)"), "'~$(id)'");
    EXPECT_EQ(shell_word(""), "''");
}

struct Zone {
    explicit Zone(char const* name) : variable("TZ", name) { tzset(); }
    ~Zone() { tzset(); }
    Variable variable;
};

// databricks-facts 5.3: the Python SDK reads any expiry as local wall clock.
TEST(LocalExpiry, is_local_wall_clock_with_fraction_and_offset) {
    {
        Zone const zone("UTC");
        EXPECT_EQ(local_expiry("2026-08-22T12:05:06Z"), "2026-08-22T12:05:06.000000Z");
    }
    {
        Zone const zone("Europe/Vienna");
        EXPECT_EQ(local_expiry("2026-08-22T12:05:06Z"), "2026-08-22T14:05:06.000000+02:00");
        EXPECT_EQ(local_expiry("2026-12-22T12:05:06Z"), "2026-12-22T13:05:06.000000+01:00");
    }
    Zone const zone("Asia/Kolkata");
    EXPECT_EQ(local_expiry("2026-08-22T12:05:06Z"), "2026-08-22T17:35:06.000000+05:30");
}

}  // namespace
}  // namespace brickgate::cli

// SPDX-License-Identifier: Apache-2.0
#include "server/host_guard.h"

#include <gtest/gtest.h>

namespace brickgate::testing {
namespace {

bool admits(HostNames const& ours, std::vector<std::string> const& hosts,
            ListenerKind listener = ListenerKind::public_) {
    ServerRequest request;
    request.listener = listener;
    request.headers.push_back({"Accept", "*/*"});
    for (auto const& host : hosts) {
        request.headers.push_back({"host", host});
    }
    return is_ours(request, ours);
}

HostNames const ours{{"gate.example.com", "localhost", "127.0.0.1", "[::1]"}, false};

TEST(HostGuard, T54_names_of_ours_with_any_port_and_in_any_case) {
    for (auto const* const host :
         {"gate.example.com", "GATE.example.COM", "gate.example.com:443", "localhost:3000",
          "localhost:", "127.0.0.1:1", "[::1]:3000", "[::1]"}) {
        EXPECT_TRUE(admits(ours, {host})) << host;
    }
}

TEST(HostGuard, T54_every_other_host_is_refused) {
    for (auto const* const host : {"evil.test",
                                   "gate.example.com.evil.test",
                                   "evil.test:gate.example.com",
                                   "evilgate.example.com",
                                   "gate.example.com@evil.test",
                                   "evil.test@gate.example.com",
                                   "gate.example.com/",
                                   "gate.example.com.",
                                   "http://gate.example.com",
                                   "gate.example.com, evil.test",
                                   "gate.example.com evil.test",
                                   "gate.example.com:80:80",
                                   "gate.example.com:x",
                                   "gate.example.com:123456",
                                   "",
                                   ":",
                                   ":3000",
                                   "[::1",
                                   "::1",
                                   "[localhost]",
                                   "[]",
                                   "10.0.0.1",
                                   "[fd00::1]",
                                   "127.1",
                                   "2130706433",
                                   "0.0.0.0",
                                   "local\xC4\xA6ost"}) {
        EXPECT_FALSE(admits(ours, {host})) << host;
    }
    EXPECT_FALSE(admits(ours, {std::string(100'000, 'a')}));
    EXPECT_FALSE(admits({}, {"localhost"}));
}

TEST(HostGuard, T54_exactly_one_host) {
    EXPECT_FALSE(admits(ours, {}));
    EXPECT_FALSE(admits(ours, {"localhost", "localhost"}));
    EXPECT_FALSE(admits(ours, {"localhost", "evil.test"}));
    EXPECT_FALSE(admits(ours, {"evil.test", "localhost"}));
}

TEST(HostGuard, where_every_address_is_listened_to_an_address_will_do_and_a_name_will_not) {
    HostNames const everywhere{{"gate.example.com"}, true};
    for (auto const* const host : {"10.0.0.1:3000", "[fd00::1]:3000", "172.17.0.2"}) {
        EXPECT_TRUE(admits(everywhere, {host})) << host;
    }
    for (auto const* const host : {"evil.test", "10.0.0.1.evil.test", "0x0a000001", "10.1"}) {
        EXPECT_FALSE(admits(everywhere, {host})) << host;
    }
}

TEST(HostGuard, a_process_of_this_user_needs_no_name) {
    EXPECT_TRUE(admits(ours, {}, ListenerKind::local_socket));
    EXPECT_TRUE(admits(ours, {"x"}, ListenerKind::local_socket));
}

}  // namespace
}  // namespace brickgate::testing

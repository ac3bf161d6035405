// SPDX-License-Identifier: Apache-2.0
#include "net/address_guard.h"

#include <gtest/gtest.h>

#include <array>

namespace brickgate {
namespace {

constexpr std::array refused{
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "169.254.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.171",
    "192.0.2.5",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:169.254.169.254",
    "::ffff:0:7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "64:ff9b:1:ffff::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:0:53aa:64c:0:f59d:5ccc:5ff2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fdff:ffff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff00::1",
    "ff02::1",
    "ffff::1",
};
constexpr std::array accepted{
    "1.1.1.1",         "8.8.8.8",           "9.255.255.255",
    "11.0.0.0",        "100.63.255.255",    "100.128.0.0",
    "126.255.255.255", "128.0.0.1",         "172.15.255.255",
    "172.32.0.0",      "192.0.1.1",         "192.167.1.1",
    "198.17.255.255",  "198.20.0.0",        "223.255.255.255",
    "2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888",
    "2003::1",         "::ffff:8.8.8.8",    "64:ff9b::8.8.8.8",
};

TEST(AddressGuard, T28_sixty_addresses_that_are_not_the_public_internet_are_refused) {
    static_assert(refused.size() == 60);
    for (char const* text : refused) {
        auto const address = IpAddress::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_FALSE(is_public(*address)) << text;
        EXPECT_FALSE(may_connect(*address, {})) << text;
        EXPECT_TRUE(may_connect(*address, {.operator_listed = true})) << text;
    }
}

TEST(AddressGuard, public_addresses_pass) {
    for (char const* text : accepted) {
        auto const address = IpAddress::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_TRUE(may_connect(*address, {})) << text;
    }
}

TEST(AddressGuard, only_the_full_dotted_form_is_an_address) {
    for (char const* text :
         {"127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.0.0.01", "127.0.0.1.",
          " 127.0.0.1", "1.2.3", "", "::1%lo", "[::1]", "localhost"}) {
        EXPECT_FALSE(IpAddress::parse(text)) << text;
    }
}

TEST(AddressGuard, a_network_of_the_registration_opens_that_network_and_no_other) {
    EgressPolicy const policy{.allowed_networks = {"10.20.0.0/16", "fd12::/16", "nonsense"}};
    EXPECT_TRUE(may_connect(*IpAddress::parse("10.20.255.1"), policy));
    EXPECT_TRUE(may_connect(*IpAddress::parse("::ffff:10.20.0.1"), policy));
    EXPECT_TRUE(may_connect(*IpAddress::parse("64:ff9b::10.20.0.1"), policy));
    EXPECT_TRUE(may_connect(*IpAddress::parse("fd12::5"), policy));
    EXPECT_FALSE(may_connect(*IpAddress::parse("10.21.0.1"), policy));
    EXPECT_FALSE(may_connect(*IpAddress::parse("fd13::5"), policy));
    EXPECT_FALSE(may_connect(*IpAddress::parse("127.0.0.1"), policy));
}

TEST(AddressGuard, networks_are_read_strictly) {
    EXPECT_EQ(Network::parse("10.0.0.0/8")->prefix, 104U);
    EXPECT_EQ(Network::parse("10.0.0.1")->prefix, 128U);
    EXPECT_EQ(Network::parse("::/0")->prefix, 0U);
    EXPECT_EQ(Network::parse("0.0.0.0/0")->prefix, 96U);
    for (char const* text : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/8/8", "::/129",
                             "/8", "a/8", "10.0.0.0/-1", "10.0.0.0/8 "}) {
        EXPECT_FALSE(Network::parse(text)) << text;
    }
}

TEST(AddressGuard, a_sockaddr_is_read_as_the_kernel_would) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_TRUE(IpAddress::from(reinterpret_cast<sockaddr*>(&v4))->is_loopback());
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = in6addr_loopback;
    EXPECT_TRUE(IpAddress::from(reinterpret_cast<sockaddr*>(&v6))->is_loopback());
    sockaddr other{};
    other.sa_family = AF_UNIX;
    EXPECT_FALSE(IpAddress::from(&other));
}

}  // namespace
}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
// The cookies of a sign-in, attribute by attribute: on an https gateway with the prefix that no
// sibling domain can set, on loopback without.
#include "server/cookies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/manual_clock.h"

namespace brickgate::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

ServerSettings at(std::string public_url) {
    ServerSettings settings;
    settings.plain_cookies = public_url.starts_with("http://");
    settings.public_url = std::move(public_url);
    return settings;
}
ServerSettings const https = at("https://gate.example.com");
ServerSettings const loopback = at("http://localhost:3000");
Time const now = time_from_ms(1'800'000'000'500);
std::string const value_of_32_bytes(43, 'v');

Result<std::vector<LoginCookie>> read(ServerSettings const& settings,
                                      std::vector<std::string> const& lines) {
    ServerRequest request;
    for (auto const& line : lines) {
        request.headers.push_back({"cookie", line});
    }
    return login_cookies(request, settings);
}
std::vector<std::string> suffixes(ServerSettings const& settings,
                                  std::vector<std::string> const& lines) {
    std::vector<std::string> out;
    for (auto const& cookie : read(settings, lines).value()) {
        out.push_back(cookie.suffix);
    }
    return out;
}
std::vector<std::string> set(ServerSettings const& settings, std::vector<LoginCookie> const& held) {
    return set_login_cookie(settings, held, "0a1b2c3d", Secret::copy_of(value_of_32_bytes), now);
}

TEST(Cookies, T01_every_attribute_of_a_new_one) {
    EXPECT_THAT(set(https, {}),
                ElementsAre("__Host-bg_t_0a1b2c3d=1800000000." + value_of_32_bytes +
                            "; Path=/; HttpOnly; SameSite=Lax; Max-Age=600; Secure"));
    EXPECT_THAT(set(loopback, {}), ElementsAre("bg_t_0a1b2c3d=1800000000." + value_of_32_bytes +
                                               "; Path=/; HttpOnly; SameSite=Lax; Max-Age=600"));
    auto const line = set(https, {}).front();
    EXPECT_LE(line.find(';'), 100U) << "T09: a jar has little room";
}

TEST(Cookies, T01_the_removal_has_the_attributes_of_the_setting) {
    EXPECT_EQ(clear_login_cookie(https, "0a1b2c3d"),
              "__Host-bg_t_0a1b2c3d=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure");
    EXPECT_EQ(clear_login_cookie(loopback, "0a1b2c3d"),
              "bg_t_0a1b2c3d=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
}

TEST(Cookies, T08_on_https_a_cookie_without_the_prefix_is_none_and_on_loopback_one_with_it) {
    EXPECT_THAT(suffixes(https, {"bg_t_0a1b2c3d=1.x"}), IsEmpty());
    EXPECT_THAT(suffixes(https, {"__Host-bg_t_0a1b2c3d=1.x"}), ElementsAre("0a1b2c3d"));
    EXPECT_THAT(suffixes(https, {"__Secure-bg_t_0a1b2c3d=1.x; __host-bg_t_0a1b2c3d=1.x"}),
                IsEmpty());
    EXPECT_THAT(suffixes(https, {"bg_t_0a1b2c3d=1.x; __Host-bg_t_0a1b2c3d=1.y"}),
                ElementsAre("0a1b2c3d"))
        << "a tossed one beside ours does not hide it";
    EXPECT_THAT(suffixes(loopback, {"__Host-bg_t_0a1b2c3d=1.x"}), IsEmpty());
}

TEST(Cookies, T08_one_name_twice_is_refused_wherever_the_second_stands) {
    for (auto const& lines : std::vector<std::vector<std::string>>{
             {"__Host-bg_t_0a1b2c3d=1.x; __Host-bg_t_0a1b2c3d=1.x"},
             {"__Host-bg_t_0a1b2c3d=1.x;__Host-bg_t_0a1b2c3d="},
             {"a=b; __Host-bg_t_0a1b2c3d=1.x", "__Host-bg_t_0a1b2c3d=2.y; c=d"}}) {
        auto const found = read(https, lines);
        ASSERT_FALSE(found) << lines.front();
        EXPECT_EQ(found.error().code(), ErrorCode::cookie_duplicate);
    }
    EXPECT_THAT(suffixes(https, {"a=1; a=2; __Host-bg_t_0a1b2c3d=1.x"}), ElementsAre("0a1b2c3d"))
        << "what others do with their names is theirs";
}

TEST(Cookies, what_is_not_one_of_ours_is_passed_over) {
    for (auto const* const line :
         {"", ";", "; ;", "=", "__Host-bg_t_", "__Host-bg_t_=x", "__Host-bg_t_0a1b2c3=x",
          "__Host-bg_t_0a1b2c3d4=x", "__Host-bg_t_0A1B2C3D=x", "__Host-bg_t_0a1b2c3g=x",
          "__Host-bg_t_0a1b2c3d", "x__Host-bg_t_0a1b2c3d=1", "a=__Host-bg_t_0a1b2c3d=1",
          "\t__Host-bg_t_0a1b2c3d=1"}) {
        EXPECT_THAT(suffixes(https, {line}), IsEmpty()) << line;
    }
    EXPECT_THAT(suffixes(https, {}), IsEmpty());
}

TEST(Cookies, the_time_of_making_is_a_hint_that_nobody_has_to_keep) {
    struct Case {
        std::string text;
        std::int64_t seconds;
        std::string value;
    };
    for (auto const& [text, seconds, value] :
         std::vector<Case>{{"1800000000.abc", 1'800'000'000, "abc"},
                           {"0.a.b", 0, "a.b"},
                           {"-5.x", 0, "x"},
                           {"99999999999999999999.x", 0, "x"},
                           {"9223372036854775807.x", 0, "x"},
                           {"abc.x", 0, "x"},
                           {".x", 0, "x"},
                           {"nothing", 0, ""},
                           {"", 0, ""}}) {
        auto const found = read(https, {"__Host-bg_t_0a1b2c3d=" + text});
        ASSERT_TRUE(found && found->size() == 1) << text;
        EXPECT_EQ(found->front().value, value) << text;
        EXPECT_EQ(found->front().made_at, Time(Seconds(seconds))) << text;
    }
}

TEST(Cookies, T09_the_ninth_takes_the_place_of_the_oldest) {
    std::vector<LoginCookie> held;
    for (int i = 0; i < 7; ++i) {
        held.push_back({"0000000" + std::to_string(i), "x", Time(Seconds(1000 + (i + 3) % 7))});
    }
    EXPECT_EQ(set(https, held).size(), 1U) << "seven others leave room";
    held.push_back({"00000007", "x", Time(Seconds(2000))});
    auto const lines = set(https, held);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[1], clear_login_cookie(https, "00000004"));  // made at 1000
    for (int i = 8; i < 12; ++i) {  // somebody's own making: all beyond seven go
        held.push_back({"000000" + std::to_string(10 + i), "x", Time(Seconds(3000))});
    }
    EXPECT_EQ(set(https, held).size(), 6U);
}

}  // namespace
}  // namespace brickgate::testing

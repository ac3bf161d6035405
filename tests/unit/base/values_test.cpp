// SPDX-License-Identifier: Apache-2.0
// The small values everything is made of: secrets, random bytes, times, HTTP messages.
#include <gtest/gtest.h>

#include <set>

#include "base/clock.h"
#include "base/http_message.h"
#include "base/ids.h"
#include "base/secret.h"
#include "support/manual_clock.h"
#include "support/seeded_random.h"

namespace brickgate::testing {
namespace {

std::string plain(Secret const& secret) {
    return secret.expose([](std::string_view text) { return std::string(text); });
}

TEST(Secret, takes_the_bytes_and_wipes_where_they_came_from) {
    std::string text = "a secret that is too long for the small string";
    char const* const memory = text.data();
    std::size_t const size = text.size();
    std::string const before = text;
    Secret const secret = Secret::from(std::move(text));
    EXPECT_EQ(plain(secret), before);
    EXPECT_EQ(std::string_view(memory, size), std::string(size, '\0'));

    std::array<std::byte, 4> bytes{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
    EXPECT_EQ(plain(Secret::from(std::span<std::byte>(bytes))), "\1\2\3\4");
    EXPECT_EQ(bytes, (std::array<std::byte, 4>{}));
}

TEST(Secret, wiping_a_string_reaches_its_spare_capacity) {
    std::string text = "a secret that is too long for the small string";
    char const* const memory = text.data();
    std::size_t const size = text.size();
    text.resize(3);  // the rest is still there
    wipe(text);
    EXPECT_TRUE(text.empty());
    EXPECT_EQ(std::string_view(memory, size), std::string(size, '\0'));
}

TEST(Secret, moves_leave_nothing_behind_and_clones_are_deliberate) {
    Secret first = Secret::copy_of("one");
    Secret second = std::move(first);
    EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
    EXPECT_EQ(plain(second), "one");
    Secret const copy = second.clone();
    second = Secret::copy_of("two");
    EXPECT_EQ(plain(copy), "one");
    EXPECT_EQ(plain(second), "two");
    auto& alias = second;
    second = std::move(alias);
    EXPECT_EQ(plain(second), "two");
}

TEST(Secret, compares_only_whole_values) {
    Secret const secret = Secret::copy_of("abc");
    EXPECT_TRUE(secret.ct_equal("abc"));
    EXPECT_TRUE(secret.ct_equal(Secret::copy_of("abc")));
    for (auto const* const other : {"", "ab", "abd", "Abc", "abcd"}) {
        EXPECT_FALSE(secret.ct_equal(other)) << other;
    }
    EXPECT_TRUE(Secret().ct_equal(""));
    EXPECT_TRUE(Secret().ct_equal(Secret()));
}

TEST(Secret, is_filled_in_place) {
    Secret secret = Secret::zeros(3);
    EXPECT_EQ(plain(secret), std::string(3, '\0'));
    secret.write([](std::span<char> bytes) { std::ranges::fill(bytes, 'x'); });
    EXPECT_EQ(plain(secret), "xxx");
}

TEST(Random, T77_tokens_have_256_bits_of_base64url_and_never_repeat) {
    SeededRandom random(1);
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        auto const token = random.token();
        EXPECT_EQ(token.size(), 43U);
        EXPECT_EQ(token.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789-_"),
                  std::string::npos);
        EXPECT_TRUE(seen.insert(token).second);
    }
    EXPECT_EQ(random.hex(16).size(), 32U);
    EXPECT_EQ(random.bytes(0), "");
}

// Gives the numbers it was told to.
class ScriptedRandom final : public Random {
 public:
    explicit ScriptedRandom(std::vector<std::uint64_t> numbers) : numbers_(std::move(numbers)) {}
    void fill(std::span<std::byte> out) override {
        ASSERT_LT(next_, numbers_.size());
        std::memcpy(out.data(), &numbers_[next_++], out.size());
    }
    std::size_t drawn() const { return next_; }

 private:
    std::vector<std::uint64_t> numbers_;
    std::size_t next_ = 0;
};

TEST(Random, below_does_not_favour_small_numbers) {
    // UINT64_MAX is 5 modulo 10: what would come round once more for 0 to 5 is drawn again.
    ScriptedRandom random({UINT64_MAX, UINT64_MAX - 1, 23});
    EXPECT_EQ(random.below(10), 3U);
    EXPECT_EQ(random.drawn(), 3U);
    EXPECT_EQ(ScriptedRandom({}).below(0), 0U);
    EXPECT_EQ(ScriptedRandom({77}).below(1), 0U);
}

TEST(Random, unit_stays_below_one) {
    SeededRandom random(2);
    for (int i = 0; i < 1000; ++i) {
        auto const value = random.unit();
        EXPECT_GE(value, 0.0);
        EXPECT_LT(value, 1.0);
    }
}

TEST(Times, are_shown_in_UTC_with_whole_seconds) {
    EXPECT_EQ(to_rfc3339(Time(Seconds(1'800'000'000))), "2027-01-15T08:00:00Z");
    EXPECT_EQ(to_rfc3339(Time(Milliseconds(999))), "1970-01-01T00:00:00Z");
    EXPECT_EQ(to_rfc3339(Time(Milliseconds(-1))), "1969-12-31T23:59:59Z");
    EXPECT_EQ(to_rfc3339(Time(Seconds(951'782'400))), "2000-02-29T00:00:00Z");
}

TEST(Times, are_read_back_as_they_were_shown) {
    for (std::int64_t const seconds : {0LL, 951'782'400LL, 1'800'000'000LL, 253'402'300'799LL}) {
        Time const time{Seconds(seconds)};
        EXPECT_EQ(from_rfc3339(to_rfc3339(time)), time);
    }
    for (auto const* const text :
         {"", "2027-01-15", "2027-01-15T08:00:00", "2027-01-15T08:00:00+00:00",
          "2027-01-15t08:00:00z", "2027-01-15T08:00:00.0Z", "2027-13-15T08:00:00Z",
          "2027-02-29T08:00:00Z", "2027-01-15T24:00:00Z", "2027-01-15T08:60:00Z",
          "2027-01-15T08:00:61Z", "2027-01-15 08:00:00Z", "-027-01-15T08:00:00Z",
          "2027-+1-15T08:00:00Z", "2027-01-15T0x:00:00Z", "2027-01-15T08:00:00Zx"}) {
        EXPECT_EQ(from_rfc3339(text), std::nullopt) << text;
    }
}

TEST(ManualClock, moves_only_when_told) {
    ManualClock clock;
    auto const wall = clock.now();
    auto const steady = clock.steady();
    clock.pass(Seconds(5));
    EXPECT_EQ(clock.now() - wall, Seconds(5));
    EXPECT_EQ(clock.steady() - steady, Seconds(5));
    clock.set_wall(wall);  // an operator sets the clock back
    EXPECT_EQ(clock.steady() - steady, Seconds(5));
}

TEST(HttpMessage, header_names_have_no_case_and_may_repeat) {
    HeaderMap headers;
    headers.add("Retry-After", "1");
    headers.add("RETRY-AFTER", "2");
    EXPECT_EQ(headers.get("retry-after"), "1");
    EXPECT_EQ(headers.count("Retry-after"), 2U);
    EXPECT_EQ(headers.get("Retry"), std::nullopt);
    EXPECT_FALSE(equals_ignoring_case("K", "\xE2\x84\xAA"));  // the Kelvin sign is no K
}

TEST(HttpMessage, media_types_are_read_without_parameters) {
    EXPECT_EQ(media_type("Application/JSON; charset=UTF-8"), "application/json");
    EXPECT_EQ(media_type(" text/html\t;x"), "text/html");
    EXPECT_EQ(media_type(""), "");
    EXPECT_EQ(media_type(";"), "");
}

TEST(StrongTypes, compare_and_hash_as_their_text) {
    EXPECT_EQ(ConnectionId("a"), ConnectionId("a"));
    EXPECT_LT(ConnectionId("a"), ConnectionId("b"));
    EXPECT_TRUE(ConnectionId().empty());
    EXPECT_EQ(std::hash<ConnectionId>{}(ConnectionId("a")), std::hash<std::string>{}("a"));
}

}  // namespace
}  // namespace brickgate::testing

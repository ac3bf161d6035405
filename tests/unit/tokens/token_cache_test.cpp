// SPDX-License-Identifier: Apache-2.0
#include "tokens/token_cache.h"

#include <gtest/gtest.h>

#include "support/seeded_random.h"

namespace brickgate {
namespace {

using namespace std::chrono_literals;
using testing::SeededRandom;

class Cache : public ::testing::Test {
 protected:
    void put(std::string const& text, std::uint64_t family, std::uint64_t generation,
             Milliseconds life = 1h) {
        CachedToken token;
        token.family = family;
        token.generation = generation;
        token.issued_at = now_;
        token.expires_at = now_ + life;
        cache_.put(id_, token, Secret::copy_of(text));
    }
    std::string use(Seconds min_valid = 0s) {
        std::string out = "none";
        cache_.use(id_, now_, min_valid,
                   [&](CachedToken const&, std::string_view text) { out = std::string(text); });
        return out;
    }
    std::string use_any() {
        std::string out = "none";
        cache_.use_any_valid(
            id_, now_, [&](CachedToken const&, std::string_view text) { out = std::string(text); });
        return out;
    }

    Time now_ = Time(1'000'000s);
    ConnectionId id_{"con_00000000000000000000000000000001"};
    SeededRandom random_;
    TokenCache cache_{random_, RefreshPolicy{}};
};

TEST_F(Cache, gives_back_what_was_put_in) {
    EXPECT_EQ(use(), "none");
    put("first", 1, 1);
    EXPECT_EQ(use(), "first");
    EXPECT_EQ(cache_.size(), 1U);
}

TEST_F(Cache, an_older_generation_or_family_never_takes_a_newer_ones_place) {
    put("newer", 1, 2);
    put("older", 1, 1);
    EXPECT_EQ(use(), "newer");
    put("next family", 2, 1);
    put("family before", 1, 9);
    EXPECT_EQ(use(), "next family");
    EXPECT_EQ(cache_.size(), 1U);
}

TEST_F(Cache, what_was_ended_does_not_come_back) {
    put("before", 1, 1);
    cache_.end(id_, 1);
    EXPECT_EQ(use(), "none");
    put("of a refresh in flight", 1, 2);
    EXPECT_EQ(use(), "none");
    put("of a new sign-in", 2, 3);
    EXPECT_EQ(use(), "of a new sign-in");
}

TEST_F(Cache, a_token_in_its_last_minute_is_renewed_first_and_in_its_last_half_never_given) {
    put("token", 1, 1);
    now_ += 58min + 59s;
    EXPECT_EQ(use(), "token");
    now_ += 2s;
    EXPECT_EQ(use(), "none");
    EXPECT_EQ(use_any(), "token");
    now_ += 28s;
    EXPECT_EQ(use_any(), "token");
    now_ += 1s;
    EXPECT_EQ(use_any(), "none") << "Databricks refuses it now";
}

TEST_F(Cache, the_last_half_minute_shrinks_with_the_life) {
    put("token", 1, 1, 20s);
    now_ += 17s;
    EXPECT_EQ(use(), "none");
    EXPECT_EQ(use_any(), "token");
    now_ += 1s;
    EXPECT_EQ(use_any(), "none");
}

TEST_F(Cache, a_token_is_given_to_nobody_else) {
    put("token", 1, 1);
    auto const other = ConnectionId("con_00000000000000000000000000000002");
    EXPECT_FALSE(cache_.use(other, now_, 0s, [](CachedToken const&, std::string_view) {}));
}

TEST_F(Cache, forgetting_is_forgetting) {
    put("token", 1, 1);
    cache_.forget(id_);
    cache_.forget(id_);
    EXPECT_EQ(use_any(), "none");
    EXPECT_EQ(cache_.size(), 0U);
}

}  // namespace
}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
// What is kept of other servers' answers when somebody thinks up names.
#include "connect/answer_cache.h"

#include <gtest/gtest.h>

namespace brickgate {
namespace {

using namespace std::chrono_literals;

Error failure() {
    return Error(ErrorCode::discovery_failed, "no such host");
}

// Below a listed suffix every name is asked for once; the workspace that is away just then must
// still be served by what it said before.
TEST(AnswerCache, names_that_were_thought_up_do_not_push_out_a_workspaces_answer) {
    AnswerCache<int> cache;
    Instant now{};
    cache.keep("good", std::make_shared<int const>(7), now, 1h);
    for (int i = 0; i < 10000; ++i) {
        now += 1ms;
        (void)cache.keep_failure(std::to_string(i) + ".corp.example", failure(), now, true);
    }
    now += 2h;
    EXPECT_FALSE(cache.find("good", now)) << "it is asked again";
    auto const stale = cache.keep_failure("good", failure(), now, true);
    ASSERT_TRUE(stale);
    EXPECT_EQ(**stale, 7);
}

TEST(AnswerCache, among_answers_the_one_that_nobody_wants_goes_first) {
    AnswerCache<int> cache;
    Instant now{};
    for (int i = 0; i < 4096; ++i) {
        now += 1ms;
        cache.keep(std::to_string(i), std::make_shared<int const>(i), now, 1h);
    }
    EXPECT_TRUE(cache.find("0", now += 1ms));
    cache.keep("one more", std::make_shared<int const>(1), now += 1ms, 1h);
    EXPECT_TRUE(cache.find("0", now));
    EXPECT_FALSE(cache.find("1", now));
    EXPECT_TRUE(cache.find("2", now));
}

}  // namespace
}  // namespace brickgate

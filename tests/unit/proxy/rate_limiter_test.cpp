// SPDX-License-Identifier: Apache-2.0
#include "proxy/rate_limiter.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace brickgate {
namespace {

using namespace std::chrono_literals;
using Verdict = RateLimiter::Verdict;
using Ticket = RateLimiter::Ticket;

constexpr Instant start{Milliseconds(5'000)};
constexpr RateLimiter::Key here{.workspace = "w1", .family = 0};

// Ten a second, one at once; a family without any limit; one that only adapts.
RateLimiter ten_a_second(std::size_t waiters_max = 4096) {
    return RateLimiter(
        {.families = {{.per_second = 10 / 0.98, .burst = 1}, {.adapts = false}, {.per_second = 0}},
         .waiters_max = waiters_max});
}

// Takes all that is there, so that the next call waits.
void drain(RateLimiter& limiter, Instant now, RateLimiter::Key key = here) {
    while (limiter.acquire(key, "drain", now, now).verdict == Verdict::granted) {
    }
}

Ticket queue(RateLimiter& limiter, std::string_view connection, Instant now = start,
             Milliseconds patience = 30s) {
    auto const answer = limiter.acquire(here, connection, now, now + patience);
    EXPECT_EQ(answer.verdict, Verdict::queued) << connection;
    return answer.ticket;
}

// Every grant up to `end`, in order; what is refused is negative.
std::vector<std::int64_t> settled_until(RateLimiter& limiter, Instant end) {
    std::vector<std::int64_t> out;
    Instant now = start;
    while (auto const next = limiter.next_event(now)) {
        EXPECT_GE(*next, now);
        if (*next > end) {
            break;
        }
        now = *next;
        for (auto const& settled : limiter.pump(now)) {
            auto const ticket = static_cast<std::int64_t>(settled.ticket);
            out.push_back(settled.verdict == Verdict::granted ? ticket : -ticket);
        }
    }
    return out;
}

TEST(RateLimiter, grants_at_once_while_there_is_room) {
    RateLimiter limiter = ten_a_second();
    EXPECT_EQ(limiter.acquire(here, "a", start, start).verdict, Verdict::granted);
    auto const refused = limiter.acquire(here, "a", start, start);
    EXPECT_EQ(refused.verdict, Verdict::refused);
    EXPECT_EQ(refused.wait, 1s);  // whole seconds are what Retry-After has
    EXPECT_EQ(limiter.waiting(), 0);
}

TEST(RateLimiter, workspaces_and_families_do_not_share) {
    RateLimiter limiter = ten_a_second();
    drain(limiter, start);
    EXPECT_EQ(limiter.acquire({"w2", 0}, "a", start, start).verdict, Verdict::granted);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(limiter.acquire({"w1", 1}, "a", start, start).verdict, Verdict::granted);
        EXPECT_EQ(limiter.acquire({"w1", 2}, "a", start, start).verdict, Verdict::granted);
    }
}

TEST(RateLimiter, lines_take_turns) {
    RateLimiter limiter = ten_a_second();
    drain(limiter, start);
    std::vector<std::int64_t> greedy;
    for (int i = 0; i < 4; ++i) {
        greedy.push_back(static_cast<std::int64_t>(queue(limiter, "greedy")));
    }
    auto const b = static_cast<std::int64_t>(queue(limiter, "b"));
    auto const c = static_cast<std::int64_t>(queue(limiter, "c"));
    auto const b2 = static_cast<std::int64_t>(queue(limiter, "b"));
    EXPECT_EQ(settled_until(limiter, start + 10s),
              (std::vector{greedy[0], b, c, greedy[1], b2, greedy[2], greedy[3]}));
    EXPECT_EQ(limiter.waiting(), 0);
    EXPECT_EQ(limiter.next_event(start + 10s), std::nullopt);
}

TEST(RateLimiter, nobody_passes_those_who_wait) {
    RateLimiter limiter = ten_a_second();
    drain(limiter, start);
    Ticket const first = queue(limiter, "a");
    // The token is there, but it is the waiting call's, even before pump() ran.
    EXPECT_EQ(limiter.acquire(here, "b", start + 1s, start + 1s).verdict, Verdict::refused);
    auto const settled = limiter.pump(start + 1s);
    ASSERT_EQ(settled.size(), 1);
    EXPECT_EQ(settled[0].ticket, first);
    EXPECT_EQ(settled[0].wait, 1s);
}

TEST(RateLimiter, refuses_at_once_what_cannot_be_in_time) {
    RateLimiter limiter = ten_a_second();
    drain(limiter, start);
    for (int i = 0; i < 20; ++i) {
        queue(limiter, "a");
    }
    auto const late = limiter.acquire(here, "a", start, start + 2s);
    EXPECT_EQ(late.verdict, Verdict::refused);
    EXPECT_EQ(late.wait, 1s);
    // A newcomer's turn comes with the first round: it is in time.
    EXPECT_EQ(limiter.acquire(here, "b", start, start + 2s).verdict, Verdict::queued);
    EXPECT_EQ(limiter.acquire(here, "b", start, start + 150ms).verdict, Verdict::refused);
}

TEST(RateLimiter, a_deadline_that_passes_is_told_to_the_moment) {
    RateLimiter limiter = ten_a_second();
    drain(limiter, start);
    auto const waits = static_cast<std::int64_t>(queue(limiter, "a", start, 5s));
    limiter.observed(here, {.status = 429, .server_wait = 60s, .granted_at = start}, start + 1ms);
    EXPECT_EQ(limiter.next_event(start), start + 5s);
    EXPECT_TRUE(settled_until(limiter, start + 4999ms).empty());
    auto const settled = limiter.pump(start + 5s);
    ASSERT_EQ(settled.size(), 1);
    EXPECT_EQ(static_cast<std::int64_t>(settled[0].ticket), waits);
    EXPECT_EQ(settled[0].verdict, Verdict::refused);
    EXPECT_GT(settled[0].wait, 45s);  // 55 s are left, and a new call would wait 5 s
    EXPECT_EQ(limiter.acquire(here, "b", start + 5s, start + 35s).verdict, Verdict::refused);
}

TEST(RateLimiter, a_cancelled_call_leaves_the_line) {
    RateLimiter limiter = ten_a_second();
    drain(limiter, start);
    Ticket const first = queue(limiter, "a");
    Ticket const second = queue(limiter, "a");
    EXPECT_TRUE(limiter.cancel(first));
    EXPECT_FALSE(limiter.cancel(first));
    EXPECT_FALSE(limiter.cancel(12345));
    EXPECT_EQ(settled_until(limiter, start + 1s), (std::vector{static_cast<std::int64_t>(second)}));
    EXPECT_FALSE(limiter.cancel(second));
}

TEST(RateLimiter, when_all_places_are_taken_the_longest_line_gives_way) {
    RateLimiter limiter = ten_a_second(4);
    drain(limiter, start);
    Ticket last_of_greedy = 0;
    for (int i = 0; i < 4; ++i) {
        last_of_greedy = queue(limiter, "greedy");
    }
    EXPECT_EQ(limiter.acquire(here, "greedy", start, start + 30s).verdict, Verdict::refused);
    Ticket const b = queue(limiter, "b");
    EXPECT_EQ(limiter.waiting(), 4);
    EXPECT_EQ(limiter.next_event(start), start);
    auto const settled = limiter.pump(start);
    ASSERT_EQ(settled.size(), 1);
    EXPECT_EQ(settled[0].ticket, last_of_greedy);
    EXPECT_EQ(settled[0].verdict, Verdict::refused);
    EXPECT_TRUE(limiter.cancel(b));
    queue(limiter, "b");
    queue(limiter, "b");  // 2 to 2: from here on nobody gives way
    EXPECT_EQ(limiter.acquire(here, "b", start, start + 30s).verdict, Verdict::refused);
    EXPECT_EQ(limiter.acquire(here, "greedy", start, start + 30s).verdict, Verdict::refused);
}

TEST(RateLimiter, lines_that_differ_by_one_do_not_throw_each_other_out) {
    RateLimiter limiter = ten_a_second(5);
    drain(limiter, start);
    for (char const* connection : {"a", "a", "a", "b", "b"}) {
        queue(limiter, connection);
    }
    EXPECT_EQ(limiter.acquire(here, "b", start, start + 30s).verdict, Verdict::refused);
    EXPECT_EQ(limiter.acquire(here, "a", start, start + 30s).verdict, Verdict::refused);
    queue(limiter, "c");
    EXPECT_EQ(limiter.waiting(), 5);
}

TEST(RateLimiter, a_429_cuts_once_and_shows) {
    RateLimiter limiter = ten_a_second();
    limiter.acquire(here, "a", start, start);
    EXPECT_TRUE(limiter.observed(here, {.status = 429, .granted_at = start + 1ms}, start + 1s));
    EXPECT_FALSE(limiter.observed(here, {.status = 429, .granted_at = start + 1ms}, start + 1s));
    EXPECT_FALSE(limiter.observed({"w1", 1}, {.status = 429, .granted_at = start}, start + 1s));
    auto const states = limiter.snapshot("w1", start + 1s);
    ASSERT_EQ(states.size(), 1);
    EXPECT_EQ(states[0].held_until, start + 2s);
    EXPECT_NEAR(*states[0].per_second, 8.5, 0.01);
    EXPECT_TRUE(limiter.snapshot("w2", start).empty());
}

TEST(RateLimiter, what_nobody_uses_is_forgotten) {
    RateLimiter limiter = ten_a_second();
    for (int i = 0; i < 1000; ++i) {
        limiter.acquire({"w" + std::to_string(i), 0}, "a", start, start);
    }
    EXPECT_EQ(limiter.buckets(), 1000);
    limiter.observed({"w7", 0}, {.status = 429, .granted_at = start}, start + 1s);
    limiter.pump(start + 61s);
    EXPECT_EQ(limiter.buckets(), 1);  // what was learnt of w7 is kept for a while
    limiter.pump(start + 10min);
    limiter.pump(start + 20min);
    EXPECT_EQ(limiter.buckets(), 0);
}

TEST(RateLimiter, a_dry_run_lets_everything_pass_and_counts_right) {
    RateLimiter limiter = ten_a_second();
    std::map<Verdict, int> seen;
    for (int i = 0; i < 100; ++i) {  // 100 at once: 1 passes, 10 wait a second at most
        seen[limiter.foresee(here, start, 1s).verdict] += 1;
    }
    EXPECT_EQ(seen[Verdict::granted], 1);
    EXPECT_EQ(seen[Verdict::queued], 10);
    EXPECT_EQ(seen[Verdict::refused], 89);
    EXPECT_EQ(limiter.waiting(), 0);
    // The waiting ones count against those after them, as they would have.
    EXPECT_EQ(limiter.foresee(here, start + 500ms, 1s).wait, 600ms);
    EXPECT_EQ(limiter.foresee(here, start + 3s, 1s).verdict, Verdict::granted);
}

}  // namespace
}  // namespace brickgate

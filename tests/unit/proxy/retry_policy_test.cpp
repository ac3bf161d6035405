// SPDX-License-Identifier: Apache-2.0
// T47 and facts 7.1: what is called again, when, and what never is.
#include "proxy/retry_policy.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "support/data_file.h"

namespace brickgate::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view run_now = "/api/2.2/jobs/run-now";
constexpr std::string_view statements = "/api/2.0/sql/statements";
constexpr std::string_view file = "/api/2.0/fs/files/Volumes/m/s/v/x";

std::string reason(RetryQuestion const& question) {
    auto const decision = RetryPolicy().decide(question);
    return (decision.retry ? "again: " : "no: ") + std::string(decision.reason);
}

TEST(RetryPolicy, T47_the_table) {
    struct Row {
        RetryQuestion question;
        std::string_view expected;
    };
    for (Row row : std::initializer_list<Row>{
             // Reading can always be repeated.
             {{.method = "GET", .path = statements, .status = 429}, "again: rate_limited"},
             {{.method = "GET", .path = statements, .status = 502}, "again: bad_gateway"},
             {{.method = "GET", .path = statements, .status = 503}, "again: unavailable"},
             {{.method = "GET", .path = statements, .status = 504}, "again: gateway_timeout"},
             {{.method = "GET", .path = statements}, "again: unreachable"},
             {{.method = "GET", .path = statements, .sent_maybe = true}, "again: connection_lost"},
             {{.method = "HEAD", .path = file, .sent_maybe = true, .reused_connection = true},
              "again: stale_connection"},
             // Replacing or removing what the path names can; beginning something cannot.
             {{.method = "PUT", .path = file, .status = 502}, "again: bad_gateway"},
             {{.method = "PUT", .path = file, .sent_maybe = true}, "again: connection_lost"},
             {{.method = "DELETE", .path = file, .status = 504}, "again: gateway_timeout"},
             {{.method = "PUT", .path = "/api/2.0/permissions/jobs/1", .status = 503},
              "again: unavailable"},
             {{.method = "PUT", .path = "/api/2.0/workspace/x", .status = 502},
              "again: bad_gateway"},
             {{.method = "PUT", .path = "/api/2.0/serving-endpoints/m/config", .status = 502},
              "no: maybe_done"},
             {{.method = "DELETE", .path = "/api/2.0/permissionsx/1", .status = 502},
              "no: maybe_done"},
             {{.method = "DELETE", .path = statements, .sent_maybe = true}, "no: maybe_done"},
             {{.method = "PUT", .path = statements, .status = 429}, "again: rate_limited"},
             // POST only if refused at the door.
             {{.method = "POST", .path = statements, .status = 429}, "again: rate_limited"},
             {{.method = "POST", .path = statements, .status = 503}, "no: maybe_done"},
             {{.method = "POST", .path = statements, .status = 503, .server_wait = 1s},
              "again: unavailable"},
             {{.method = "POST", .path = statements, .status = 502, .server_wait = 1s},
              "no: maybe_done"},
             {{.method = "POST", .path = statements, .status = 504}, "no: maybe_done"},
             {{.method = "POST", .path = statements}, "again: unreachable"},
             {{.method = "POST", .path = statements, .reused_connection = true},
              "again: stale_connection"},
             {{.method = "POST", .path = statements, .sent_maybe = true}, "no: maybe_done"},
             {{.method = "POST", .path = statements, .sent_maybe = true, .reused_connection = true},
              "no: maybe_done"},
             {{.method = "PATCH", .path = file, .sent_maybe = true}, "no: maybe_done"},
             {{.method = "PATCH", .path = file, .status = 429}, "again: rate_limited"},
             {{.method = "get", .path = file, .status = 502}, "no: maybe_done"},
             // Or with a token, where Databricks promises to honour one.
             {{.method = "POST", .path = run_now, .status = 502}, "no: maybe_done"},
             {{.method = "POST", .path = run_now, .has_idempotency_token = true, .status = 502},
              "again: bad_gateway"},
             {{.method = "POST",
               .path = run_now,
               .has_idempotency_token = true,
               .sent_maybe = true},
              "again: connection_lost"},
             {{.method = "POST",
               .path = "/api/2.1/jobs/runs/submit",
               .has_idempotency_token = true,
               .status = 503},
              "again: unavailable"},
             {{.method = "POST",
               .path = statements,
               .has_idempotency_token = true,
               .sent_maybe = true},
              "no: maybe_done"},
             {{.method = "POST",
               .path = "/api/2.1/jobs/run-now/x",
               .has_idempotency_token = true,
               .status = 502},
              "no: maybe_done"},
             {{.method = "POST", .path = "/api/2.", .has_idempotency_token = true, .status = 502},
              "no: maybe_done"},
             {{.method = "PATCH", .path = run_now, .has_idempotency_token = true, .status = 502},
              "no: maybe_done"}}) {
        row.question.replayable = true;
        EXPECT_EQ(reason(row.question), row.expected)
            << row.question.method << " " << row.question.path << " " << row.question.status;
        row.question.replayable = false;
        EXPECT_EQ(reason(row.question), "no: body_gone");
    }
}

TEST(RetryPolicy, an_answer_is_an_answer) {
    for (int status = 100; status < 600; ++status) {
        bool const passes = status == 429 || (status >= 502 && status <= 504);
        RetryQuestion const question{
            .method = "GET", .path = file, .replayable = true, .status = status};
        EXPECT_EQ(reason(question) == "no: final", !passes) << status;
    }
}

TEST(RetryPolicy, ends_after_so_many_attempts_and_so_long) {
    RetryQuestion question{.method = "GET", .path = file, .replayable = true, .status = 503};
    question.attempt = 3;
    EXPECT_EQ(reason(question), "again: unavailable");
    question.attempt = 4;
    EXPECT_EQ(reason(question), "no: attempts");
    question.attempt = 1;
    question.server_wait = 20s;
    question.dice = 0;
    question.elapsed = 40s;
    EXPECT_EQ(reason(question), "again: unavailable");
    question.elapsed = 40001ms;
    EXPECT_EQ(reason(question), "no: time");
    question.elapsed = Milliseconds::max();
    EXPECT_EQ(reason(question), "no: time");
    question.elapsed = Milliseconds::min();
    EXPECT_EQ(reason(question), "again: unavailable");
    RetryPolicy const one{.attempts_max = 1};
    EXPECT_FALSE(one.decide(question).retry);
    RetryPolicy const short_one{.time_max = 5s};
    EXPECT_EQ(short_one.decide(question).reason, "time");
}

TEST(RetryPolicy, waits_double_and_are_jittered) {
    auto const wait = [](unsigned attempt, double dice) {
        RetryQuestion const question{.method = "GET",
                                     .path = file,
                                     .replayable = true,
                                     .status = 503,
                                     .attempt = attempt,
                                     .dice = dice};
        return RetryPolicy{.attempts_max = 100}.decide(question).wait;
    };
    EXPECT_EQ(wait(1, 0), 250ms);
    EXPECT_EQ(wait(1, 0.5), 375ms);
    EXPECT_EQ(wait(2, 0), 500ms);
    EXPECT_EQ(wait(3, 0), 1000ms);
    EXPECT_EQ(wait(4, 0.5), 3000ms);
    EXPECT_EQ(wait(9, 0), 5000ms);
    EXPECT_EQ(wait(99, 0.5), 7500ms);
    EXPECT_EQ(wait(0, 0), 250ms);
    EXPECT_EQ(wait(1, 7), 375ms);
    EXPECT_EQ(wait(1, std::numeric_limits<double>::quiet_NaN()), 375ms);
}

TEST(RetryPolicy, what_the_server_asks_for_is_the_least) {
    auto const wait = [](Milliseconds asked, double dice) {
        RetryQuestion const question{.method = "GET",
                                     .path = file,
                                     .replayable = true,
                                     .status = 429,
                                     .server_wait = asked,
                                     .dice = dice};
        return RetryPolicy().decide(question).wait;
    };
    EXPECT_EQ(wait(8s, 0), 8s);
    EXPECT_EQ(wait(8s, 0.5), 9s);
    EXPECT_EQ(wait(40s, 0.5), 41s);
    EXPECT_EQ(wait(0s, 0), 250ms);  // no wait at all would be a hammer
    EXPECT_EQ(wait(-5s, 0), 250ms);
    EXPECT_EQ(wait(Milliseconds::max(), 0), server_wait_max);
}

TEST(RetryPolicy, a_connection_that_was_closed_while_idle_is_replaced_at_once) {
    RetryQuestion const question{.method = "GET",
                                 .path = file,
                                 .replayable = true,
                                 .sent_maybe = true,
                                 .reused_connection = true,
                                 .dice = 0.9};
    EXPECT_EQ(RetryPolicy().decide(question).wait, 0ms);
}

TEST(RetryPolicy, tells_the_wait_where_it_does_not_retry) {
    RetryQuestion const question{
        .method = "POST", .path = statements, .status = 503, .server_wait = 7s, .dice = 0};
    auto const decision = RetryPolicy().decide(question);
    EXPECT_FALSE(decision.retry);
    EXPECT_EQ(decision.wait, 7s);
}

TEST(RetryPolicy, T47_for_any_question_the_bounds_hold) {
    std::mt19937_64 dice(47);
    std::vector<std::string_view> const methods = {"GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"};
    std::vector<std::string_view> const paths = {run_now, statements, file, "/api/", ""};
    std::vector<int> const statuses = {0, 200, 401, 429, 500, 502, 503, 504};
    RetryPolicy const policy;
    for (int round = 0; round < 50'000; ++round) {
        RetryQuestion question{.method = methods[dice() % methods.size()],
                               .path = paths[dice() % paths.size()],
                               .has_idempotency_token = dice() % 2 == 0,
                               .replayable = dice() % 4 != 0,
                               .status = statuses[dice() % statuses.size()],
                               .sent_maybe = dice() % 2 == 0,
                               .reused_connection = dice() % 2 == 0,
                               .attempt = static_cast<unsigned>(dice() % 6),
                               .elapsed = Milliseconds(dice() % 90'000),
                               .dice = static_cast<double>(dice() % 1000) / 1000};
        if (dice() % 2 == 0) {
            question.server_wait = Milliseconds(dice() % 90'000);
        }
        auto const decision = policy.decide(question);
        EXPECT_FALSE(decision.reason.empty());
        EXPECT_GE(decision.wait, 0ms);
        if (decision.retry) {
            EXPECT_TRUE(question.replayable);
            EXPECT_LT(question.attempt, policy.attempts_max);
            EXPECT_LE(question.elapsed + decision.wait, policy.time_max);
            bool const answered_late = question.status == 502 || question.status == 504 ||
                                       (question.status == 0 && question.sent_maybe);
            bool const once_only = question.method == "PATCH" ||
                                   (question.method == "POST" && question.path != run_now);
            EXPECT_FALSE(answered_late && once_only) << question.method << question.path;
            if (question.server_wait && !(question.status == 0 && question.reused_connection)) {
                EXPECT_GE(decision.wait, *question.server_wait);
            }
        }
    }
}

TEST(ServerWait, the_table) {
    Time const now(1'800'000'000s);
    for (auto const& row : read_table("proxy/server_waits.json", 60)) {
        auto const& object = row.as_object();
        auto const wait = server_wait_of(string_at(object, "header"), text_at(object, "body"), now);
        auto const expected = integer_at(object, "ms");
        EXPECT_EQ(wait.has_value(), expected.has_value()) << text_at(object, "name");
        EXPECT_EQ(wait.value_or(0ms).count(), expected.value_or(0)) << text_at(object, "name");
    }
}

TEST(ServerWait, is_told_in_whole_seconds_and_never_as_none) {
    EXPECT_EQ(retry_after_seconds(0ms), "1");
    EXPECT_EQ(retry_after_seconds(-5s), "1");
    EXPECT_EQ(retry_after_seconds(1ms), "1");
    EXPECT_EQ(retry_after_seconds(1000ms), "1");
    EXPECT_EQ(retry_after_seconds(1001ms), "2");
    EXPECT_EQ(retry_after_seconds(1min), "60");
    EXPECT_EQ(retry_after_seconds(Milliseconds::max()), "86400");
    EXPECT_EQ(retry_after_seconds(Milliseconds::min()), "1");
}

TEST(IdempotencyToken, is_a_text_at_the_top_of_the_body) {
    EXPECT_TRUE(body_has_idempotency_token(R"({"job_id": 1, "idempotency_token": "a"})"));
    for (char const* body :
         {"", "{}", R"({"idempotency_token": ""})", R"({"idempotency_token": 1})",
          R"({"idempotency_token": null})", R"({"x": {"idempotency_token": "a"}})",
          R"([{"idempotency_token": "a"}])", R"("idempotency_token")",
          R"({"idempotency_token": "a")", R"({"idempotency_token": "a", "idempotency_token": "b"})",
          R"({"idempotency_token": "a"} x)", R"({"Idempotency_Token": "a"})"}) {
        EXPECT_FALSE(body_has_idempotency_token(body)) << body;
    }
    EXPECT_FALSE(body_has_idempotency_token(std::string(1'000'000, '[')));
}

}  // namespace
}  // namespace brickgate::testing

// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "support/data_file.h"

namespace brickgate::testing {
namespace {

std::string const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
std::string const personal = "dapi0123456789abcdef0123456789abcdef";
std::string const api_key = "bg_0123456789abcdef_aB3-secret.part";
std::string const capability = "bgc_0123456789abcdef_aB3-secret.part";

TEST(Redact, T64_tokens_are_blanked_wherever_they_stand) {
    for (auto const& token :
         {std::string("doau1234abcd"), std::string("dose-x_9"), personal, personal + "-2", jwt,
          std::string("eyJhbGciOiJub25lIn0.e30."), api_key, capability}) {
        EXPECT_EQ(redact(token), "[redacted]");
        EXPECT_EQ(redact("before " + token + " after"), "before [redacted] after");
        EXPECT_EQ(redact(token + " " + token), "[redacted] [redacted]");
        EXPECT_EQ(redact("(" + token), "([redacted]");
        EXPECT_EQ(redact("Bearer:" + token), "Bearer:[redacted]");
    }
}

TEST(Redact, T64_values_of_secret_parameters_are_blanked) {
    for (auto const* const name : {"code", "state", "code_verifier", "client_secret",
                                   "refresh_token", "access_token", "id_token"}) {
        std::string const field = std::string(name) + "=";
        EXPECT_EQ(redact(field + "abc"), field + "[redacted]");
        EXPECT_EQ(redact("/callback?x=1&" + field + "a%20b&y=2 HTTP"),
                  "/callback?x=1&" + field + "[redacted]&y=2 HTTP");
        EXPECT_EQ(redact(field), field);
        EXPECT_EQ(redact(field + "&y=2"), field + "&y=2");
    }
    EXPECT_EQ(redact("code=" + jwt + "&state=x"), "code=[redacted]&state=[redacted]");
}

TEST(Redact, what_is_no_token_is_left) {
    for (auto const* const text : {"",
                                   "a dose of dap",
                                   "doau",
                                   "doau doau",
                                   "dapi0123",
                                   "dapi0123456789ABCDEF0123456789ABCDEF",
                                   "eyJ",
                                   "eyJ.a.b",
                                   "eyJx.y",
                                   "eyJx..y",
                                   "bg_0123",
                                   "bg_0123456789abcdef",
                                   "bg_0123456789abcdef_",
                                   "bg_0123456789abcdef_ x",
                                   "bgc_",
                                   "bgc_0123456789abcde_x",
                                   "bgcbg_",
                                   "the code was 7",
                                   "code = 7",
                                   "a decoder",
                                   "[redacted]"}) {
        EXPECT_EQ(redact(text), text);
    }
}

TEST(Redact, T64_again_changes_nothing_and_leaves_no_canary) {
    for (auto const& row : read_table("hostile_texts.json", 60)) {
        auto const text = text_of(row) + "code=doaucanary9 " + jwt + text_of(row) + api_key +
                          text_of(row) + "/m/" + capability;
        auto const once = redact(text);
        EXPECT_EQ(redact(once), once);
        EXPECT_EQ(once.find("canary9"), std::string::npos);
        EXPECT_EQ(once.find("c2lnbmF0dXJl"), std::string::npos);
        EXPECT_EQ(once.find("aB3-secret"), std::string::npos);
    }
}

TEST(Redact, long_texts_end_neither_the_program_nor_the_patience) {
    constexpr std::size_t megabyte = 1 << 20;
    EXPECT_EQ(redact("code=" + std::string(megabyte, 'a')), "code=[redacted]");
    EXPECT_EQ(redact("doau" + std::string(megabyte, 'a')), "[redacted]");
    std::string beginnings;
    while (beginnings.size() < megabyte) {
        beginnings += "eyJ";
    }
    EXPECT_EQ(redact(beginnings), beginnings);
    EXPECT_EQ(redact(beginnings + "." + beginnings), beginnings + "." + beginnings);
}

class Log : public ::testing::Test {
 protected:
    ~Log() override { set_up_log(LogLevel::info, LogFormat::automatic); }
    static std::string written(auto&& act) {
        ::testing::internal::CaptureStderr();
        act();
        return ::testing::internal::GetCapturedStderr();
    }
};

TEST_F(Log, an_event_is_one_line_of_JSON_with_typed_fields) {
    set_up_log(LogLevel::info, LogFormat::json);
    auto const line = written([] {
        log(LogLevel::warning, "refresh_failed", "It\nfailed.",
            {{"connection", "con_1"}, {"attempt", 3}, {"final", true}});
    });
    ASSERT_TRUE(line.ends_with('\n'));
    EXPECT_EQ(std::ranges::count(line, '\n'), 1);
    auto const parsed = parse_json(line);
    ASSERT_TRUE(parsed);
    auto const& object = parsed->get_object();
    EXPECT_EQ(string_at(object, "level"), "warning");
    EXPECT_EQ(string_at(object, "event"), "refresh_failed");
    EXPECT_EQ(string_at(object, "message"), "It\nfailed.");
    EXPECT_EQ(string_at(object, "connection"), "con_1");
    EXPECT_EQ(integer_at(object, "attempt"), 3);
    EXPECT_EQ(bool_at(object, "final"), true);
    EXPECT_GT(integer_at(object, "time_ms").value_or(0), 0);
}

TEST_F(Log, automatic_is_JSON_where_nobody_watches) {
    set_up_log(LogLevel::info, LogFormat::automatic);
    EXPECT_TRUE(written([] { log(LogLevel::info, "x", "y"); }).starts_with('{'));
}

TEST_F(Log, what_is_below_the_level_is_not_written) {
    set_up_log(LogLevel::warning, LogFormat::human);
    EXPECT_EQ(written([] { log(LogLevel::info, "x", "y"); }), "");
    EXPECT_NE(written([] { log(LogLevel::error, "x", "y"); }), "");
}

TEST_F(Log, T24_T64_no_text_forges_a_line_turns_the_terminal_or_shows_a_token) {
    for (auto const format : {LogFormat::human, LogFormat::json}) {
        set_up_log(LogLevel::info, format);
        for (auto const& row : read_table("hostile_texts.json", 60)) {
            auto const theirs = text_of(row) + " " + jwt;
            auto const line =
                written([&] { log(LogLevel::info, "event", theirs, {{"field", theirs}}); });
            EXPECT_EQ(std::ranges::count(line, '\n'), 1) << theirs;
            EXPECT_EQ(line.find('\x1B'), std::string::npos) << theirs;
            EXPECT_TRUE(is_valid_utf8(line)) << theirs;
            EXPECT_EQ(line.find("c2lnbmF0dXJl"), std::string::npos) << theirs;
            if (format == LogFormat::json) {
                EXPECT_TRUE(parse_json(line, {.string_bytes_max = 1 << 20})) << theirs;
            } else {
                EXPECT_EQ(line.find("\xE2\x80\xAE"), std::string::npos) << theirs;
            }
        }
    }
}

}  // namespace
}  // namespace brickgate::testing

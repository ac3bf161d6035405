// SPDX-License-Identifier: Apache-2.0
// The one table of errors: complete, spelt as the enumeration, with a next step for everybody.
#include "base/error.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>

namespace brickgate::testing {
namespace {

std::string read_source(std::string const& path) {
    std::ifstream in(std::string(SOURCE_DIR) + "/" + path);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> enumerators_in_the_header() {
    std::string const text = read_source("src/base/error.h");
    auto const start = text.find("enum class ErrorCode");
    auto const body = text.substr(start, text.find("};", start) - start);
    std::vector<std::string> names;
    std::regex const line(R"(\n    ([a-z0-9_]+),)");
    for (std::sregex_iterator it(body.begin(), body.end(), line), end; it != end; ++it) {
        names.push_back((*it)[1]);
    }
    return names;
}

TEST(ErrorTable, wire_names_are_the_enumerators_in_their_order) {
    std::vector<std::string> names;
    for (auto const& row : all_error_codes()) {
        names.emplace_back(row.name);
    }
    EXPECT_EQ(names, enumerators_in_the_header());
}

TEST(ErrorTable, every_code_has_a_status_and_says_what_to_do_next) {
    for (auto const& row : all_error_codes()) {
        EXPECT_GE(row.http_status, 400) << row.name;
        EXPECT_LT(row.http_status, 600) << row.name;
        EXPECT_TRUE(row.hint.size() > 5 && row.hint.ends_with('.')) << row.name;
        EXPECT_EQ(error_code_from(row.name), row.code);
        EXPECT_EQ(&info_of(row.code), &row);
    }
    EXPECT_EQ(error_code_from("no_such_code"), std::nullopt);
    EXPECT_EQ(error_code_from(""), std::nullopt);
}

TEST(ErrorTable, every_code_has_its_section_in_the_documents) {
    std::string const document = read_source("docs/errors.md");
    for (auto const& row : all_error_codes()) {
        EXPECT_NE(document.find("### " + std::string(row.name) + "\n"), std::string::npos)
            << row.name;
    }
}

TEST(ErrorTable, statuses_are_those_of_the_threat_table) {
    std::map<ErrorCode, int> const expected{
        {ErrorCode::state_unknown, 400},      {ErrorCode::state_cookie_missing, 403},
        {ErrorCode::cookie_duplicate, 400},   {ErrorCode::param_duplicate, 400},
        {ErrorCode::uri_too_long, 414},       {ErrorCode::prefetch_refused, 503},
        {ErrorCode::headers_too_large, 431},  {ErrorCode::iss_mismatch, 403},
        {ErrorCode::iss_missing, 403},        {ErrorCode::ctx_mismatch, 403},
        {ErrorCode::host_denied, 400},        {ErrorCode::metadata_endpoint_denied, 422},
        {ErrorCode::metadata_invalid, 422},   {ErrorCode::pkce_unsupported, 422},
        {ErrorCode::code_rejected, 502},      {ErrorCode::id_token_missing, 502},
        {ErrorCode::id_token_malformed, 502}, {ErrorCode::id_token_alg, 502},
        {ErrorCode::id_token_signature, 502}, {ErrorCode::id_token_key_unknown, 502},
        {ErrorCode::id_token_issuer, 502},    {ErrorCode::id_token_audience, 502},
        {ErrorCode::id_token_nonce, 502},     {ErrorCode::id_token_expired, 502},
        {ErrorCode::id_token_time, 502},      {ErrorCode::identity_changed, 409},
        {ErrorCode::scope_denied, 422},       {ErrorCode::scope_escalation, 502},
        {ErrorCode::egress_denied, 502},      {ErrorCode::tls_failed, 502},
        {ErrorCode::host_misconfigured, 502}, {ErrorCode::access_denied, 403},
        {ErrorCode::login_expired, 400},      {ErrorCode::result_gone, 404},
        {ErrorCode::connection_unknown, 404}, {ErrorCode::too_many_logins, 429},
        {ErrorCode::reauth_required, 409},    {ErrorCode::refresh_pending, 503},
        {ErrorCode::store_unavailable, 503},  {ErrorCode::in_use, 503},
        {ErrorCode::request_too_large, 413},  {ErrorCode::method_not_allowed, 405},
        {ErrorCode::rate_limited, 429},       {ErrorCode::unauthorized, 401}};
    for (auto const& [code, status] : expected) {
        EXPECT_EQ(info_of(code).http_status, status) << info_of(code).name;
    }
}

TEST(ErrorTable, codes_of_a_sign_in_that_can_be_repeated_say_so) {
    for (auto const code : {ErrorCode::state_unknown, ErrorCode::login_expired,
                            ErrorCode::state_cookie_missing, ErrorCode::reauth_required}) {
        EXPECT_EQ(info_of(code).retry, Retry::sign_in_again) << info_of(code).name;
    }
    EXPECT_EQ(info_of(ErrorCode::refresh_pending).retry, Retry::later);
    EXPECT_EQ(info_of(ErrorCode::invalid_client).retry, Retry::after_fix);
}

TEST(Error, three_audiences_read_three_texts) {
    Error const error = Error(ErrorCode::host_denied, "Ours.")
                            .with_detail("Theirs\r\n\xE2\x80\xAE")
                            .with_retry_after(std::chrono::seconds(7));
    EXPECT_EQ(error.name(), "host_denied");
    EXPECT_EQ(error.http_status(), 400);
    EXPECT_EQ(error.message(), "Ours.");
    EXPECT_EQ(error.detail(), "Theirs");
    EXPECT_EQ(error.hint(), info_of(ErrorCode::host_denied).hint);
    EXPECT_EQ(error.retry_after(), std::chrono::seconds(7));
    EXPECT_EQ(Error(ErrorCode::internal, "x").with_hint("Do that.").hint(), "Do that.");
    EXPECT_EQ(Error(ErrorCode::internal, "x").retry_after(), std::nullopt);
}

TEST(Error, T64_a_token_in_somebody_elses_words_is_not_kept) {
    // An invisible character inside must not hide it.
    Error const error = Error(ErrorCode::invalid_grant, "x")
                            .with_detail(
                                "the token do\xE2\x80\x8B"
                                "au1234567890 is spent, code=abc");
    EXPECT_EQ(error.detail(), "the token [redacted] is spent, code=[redacted]");
}

TEST(Error, detail_is_cut_on_a_character) {
    std::string umlauts;
    for (int i = 0; i < 300; ++i) {
        umlauts += "\xC3\xA4";
    }
    EXPECT_EQ(Error(ErrorCode::internal, "x").with_detail("a" + umlauts).detail().size(), 199U);
    EXPECT_LE(
        Error(ErrorCode::internal, "x").with_detail(std::string(1 << 20, 'x')).detail().size(),
        200U);
}

}  // namespace
}  // namespace brickgate::testing

// SPDX-License-Identifier: Apache-2.0
// The back channel: who we are, what we ask, what the answers mean.
#include "oauth/token_endpoint.h"

#include <gtest/gtest.h>

#include "support/data_file.h"
#include "support/seeded_random.h"

namespace brickgate::testing {
namespace {

using Method = ClientAuthentication::Method;

Time const received_at(Seconds(1'800'000'000));
std::string const endpoint = "https://dbc-a.cloud.databricks.com/oidc/v1/token";

std::string plain(auto const& secret) {
    return secret.expose([](std::string_view text) { return std::string(text); });
}

ClientAuthentication client(Method method, std::string const& id, std::string_view secret) {
    return {method, ClientId(id), Secret::copy_of(secret)};
}

FormFields fields_of(HttpRequest const& request) {
    auto fields = form_decode(plain(request.body));
    EXPECT_TRUE(fields);
    return fields.value_or(FormFields());
}

std::size_t count_of(FormFields const& fields, std::string_view name) {
    return static_cast<std::size_t>(
        std::ranges::count_if(fields, [&](auto const& field) { return field.first == name; }));
}

// What a server makes of an Authorization header, RFC 6749 section 2.3.1.
std::pair<std::string, std::string> basic_credentials(HttpRequest const& request) {
    auto const header = plain(request.authorization);
    EXPECT_TRUE(header.starts_with("Basic "));
    auto const pair = base64_decode(header.substr(6)).value_or("");
    EXPECT_EQ(std::ranges::count(pair, ':'), 1);
    auto const decoded = [](std::string const& text) {
        return form_decode(text + "=").value().at(0).first;
    };
    return {decoded(pair.substr(0, pair.find(':'))), decoded(pair.substr(pair.find(':') + 1))};
}

std::vector<std::string> const odd_texts{"plain",
                                         "with space",
                                         "a:b",
                                         ":",
                                         "100%",
                                         "%41",
                                         "a+b",
                                         "a&b=c",
                                         "=",
                                         "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80",
                                         "quote\"back\\slash",
                                         "new\nline",
                                         "dose~-._1234",
                                         "/?#[]@!$'()*,;",
                                         std::string("nul\0inside", 10),
                                         std::string(2000, 'x')};

TEST(ClientAuthentication, T35_a_server_reads_back_the_same_secret_by_one_method_only) {
    for (auto const& id : odd_texts) {
        for (auto const& secret : odd_texts) {
            auto const basic = client(Method::client_secret_basic, id, secret)
                                   .post(endpoint, Secret::copy_of("grant_type=x"));
            EXPECT_EQ(basic_credentials(basic), std::pair(id, secret));
            EXPECT_EQ(fields_of(basic), (FormFields{{"grant_type", "x"}}));

            auto const posted = client(Method::client_secret_post, id, secret)
                                    .post(endpoint, Secret::copy_of("grant_type=x"));
            EXPECT_TRUE(posted.authorization.empty());
            EXPECT_EQ(
                fields_of(posted),
                (FormFields{{"grant_type", "x"}, {"client_id", id}, {"client_secret", secret}}));
        }
    }
}

TEST(ClientAuthentication, T35_a_public_client_names_itself_and_sends_no_secret) {
    auto const request = client(Method::none, "databricks-cli", "left over")
                             .post(endpoint, Secret::copy_of("grant_type=x"));
    EXPECT_TRUE(request.authorization.empty());
    EXPECT_EQ(fields_of(request),
              (FormFields{{"grant_type", "x"}, {"client_id", "databricks-cli"}}));
}

TEST(ClientAuthentication, T35_the_secret_is_never_in_the_address_or_a_plain_header) {
    for (auto const method :
         {Method::client_secret_basic, Method::client_secret_post, Method::none}) {
        auto const request =
            client(method, "id", "the-secret").post(endpoint, Secret::copy_of("grant_type=x"));
        EXPECT_EQ(request.method, "POST");
        EXPECT_EQ(request.url, endpoint);
        EXPECT_EQ(request.headers.get("Content-Type"), "application/x-www-form-urlencoded");
        EXPECT_EQ(request.headers.get("Accept"), "application/json");
        EXPECT_EQ(request.headers.get("Authorization"), std::nullopt);
        EXPECT_EQ(request.headers.size(), 2U);
    }
}

Result<ValidatedCode> a_code(std::string const& text) {
    auto parsed = CallbackParameters::parse("code=" + percent_encode(text) +
                                            "&state=" + std::string(43, 'S'));
    return validate_callback(std::move(*parsed), {Issuer("i"), false, received_at + Seconds(1)},
                             received_at);
}

TEST(TokenRequests, a_code_goes_with_its_verifier_and_redirect_uri) {
    SeededRandom random(5);
    auto const verifier = PkceVerifier::generate(random);
    auto code = a_code("co de&x=1");
    ASSERT_TRUE(code);
    auto const request = make_code_request(
        endpoint, client(Method::client_secret_basic, "id", "secret"), std::move(*code),
        RedirectUri("http://localhost:3000/callback"), verifier);
    FormFields const expected{{"grant_type", "authorization_code"},
                              {"code", "co de&x=1"},
                              {"redirect_uri", "http://localhost:3000/callback"},
                              {"code_verifier", plain(verifier.secret())}};
    EXPECT_EQ(fields_of(request), expected);
    EXPECT_EQ(request.url, endpoint);
}

TEST(TokenRequests, T20_a_refresh_asks_for_no_scope) {
    auto const request = make_refresh_request(endpoint, client(Method::none, "id", ""),
                                              RefreshToken(Secret::copy_of("doau+/=&rt")));
    FormFields const expected{
        {"grant_type", "refresh_token"}, {"refresh_token", "doau+/=&rt"}, {"client_id", "id"}};
    EXPECT_EQ(fields_of(request), expected);
}

TEST(TokenRequests, a_service_principal_asks_for_scopes_if_it_has_any) {
    auto const principal = client(Method::client_secret_basic, "id", "secret");
    EXPECT_EQ(fields_of(make_client_credentials_request(endpoint, principal, {"all-apis", "sql"})),
              (FormFields{{"grant_type", "client_credentials"}, {"scope", "all-apis sql"}}));
    EXPECT_EQ(
        count_of(fields_of(make_client_credentials_request(endpoint, principal, {})), "scope"), 0U);
}

// ---- answers

HttpResponse response_of(json::object const& row) {
    HttpResponse response;
    response.status = static_cast<int>(integer_at(row, "status").value());
    if (auto const* const headers = array_at(row, "headers")) {
        for (auto const& header : *headers) {
            response.headers.add(text_of(header.at(0)), text_of(header.at(1)));
        }
    }
    response.body = Secret::from(text_at(row, "body"));
    return response;
}

std::string_view name_of(AnswerClass answer) {
    switch (answer) {
        case AnswerClass::success:
            return "success";
        case AnswerClass::grant_dead:
            return "grant_dead";
        case AnswerClass::client_fault:
            return "client_fault";
        case AnswerClass::refused:
            return "refused";
        case AnswerClass::not_spent:
            return "not_spent";
        case AnswerClass::maybe_spent:
            return "maybe_spent";
        case AnswerClass::host_blocked:
            return "host_blocked";
        case AnswerClass::host_misconfigured:
            return "host_misconfigured";
        case AnswerClass::protocol_error:
            return "protocol_error";
    }
    return "";
}

void expect_tokens(json::object const& row, TokenSet const& tokens, std::string const& name) {
    EXPECT_EQ(tokens.expires_at, received_at + Seconds(integer_at(row, "lives").value())) << name;
    EXPECT_EQ(tokens.refresh ? plain(*tokens.refresh) : "", text_at(row, "refresh")) << name;
    EXPECT_EQ(tokens.scopes ? tokens.scopes->to_string() : "", text_at(row, "scope")) << name;
    EXPECT_FALSE(tokens.access.empty()) << name;
    if (row.contains("access")) {
        EXPECT_EQ(plain(tokens.access), text_at(row, "access")) << name;
    }
}

TEST(TokenAnswers, T34_each_scripted_answer_has_its_reason) {
    for (auto const& entry : read_table("token_answers.json", 40)) {
        auto const& row = entry.as_object();
        auto const name = text_at(row, "name");
        auto const response = response_of(row);
        auto const tokens = parse_token_response(response, received_at);
        EXPECT_EQ(tokens ? "" : std::string(tokens.error().name()), text_at(row, "code")) << name;
        EXPECT_EQ(name_of(classify_token_answer(response.status, tokens)), text_at(row, "class"))
            << name;
        if (tokens) {
            expect_tokens(row, *tokens, name);
        } else {
            // An answer of a token endpoint is never quoted: it may hold live tokens.
            EXPECT_EQ(tokens.error().detail(), "") << name;
        }
    }
}

TEST(TokenAnswers, D7_each_refusal_has_one_meaning) {
    for (auto const& entry : read_table("token_errors.json", 50)) {
        auto const& row = entry.as_object();
        auto const name = text_at(row, "name");
        auto const response = response_of(row);
        auto const refused = parse_token_response(response, received_at);
        ASSERT_FALSE(refused) << name;
        EXPECT_EQ(refused.error().name(), text_at(row, "code")) << name;
        EXPECT_EQ(name_of(classify_token_answer(response.status, refused)), text_at(row, "class"))
            << name;
        auto const wait = refused.error().retry_after();
        EXPECT_EQ(wait ? wait->count() : -1, integer_at(row, "retry_after").value_or(-1)) << name;
    }
}

TEST(TokenAnswers, D7_no_status_but_400_to_499_can_kill_a_grant) {
    for (int status = 300; status < 600; ++status) {
        HttpResponse response;
        response.status = status;
        response.body = Secret::copy_of(R"({"error":"invalid_grant"})");
        auto const answer =
            classify_token_answer(status, parse_token_response(response, received_at));
        bool const may_kill = status >= 400 && status < 500 && status != 429;
        EXPECT_EQ(answer == AnswerClass::grant_dead, may_kill) << status;
    }
}

TEST(TokenAnswers, the_words_of_a_refusal_are_for_operators_and_hold_no_token) {
    HttpResponse response;
    response.status = 400;
    response.body = Secret::copy_of(
        R"({"error":"invalid_grant","error_description":"<b>doau0123456789abcdef</b> was revoked\n"})");
    auto const refused = parse_token_response(response, received_at);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().detail(), "invalid_grant: <b>[redacted]</b> was revoked");
    EXPECT_EQ(refused.error().message().find("revoked"), std::string::npos);
}

TEST(TokenAnswers, every_token_keeps_its_place) {
    HttpResponse response;
    response.status = 200;
    response.body = Secret::copy_of(
        R"({"id_token":"id","refresh_token":"refresh","access_token":"access","token_type":"bearer"})");
    auto const tokens = parse_token_response(response, received_at);
    ASSERT_TRUE(tokens);
    auto const copy = tokens->clone();
    for (auto const* const set : {&*tokens, &copy}) {
        EXPECT_EQ(plain(set->access), "access");
        EXPECT_EQ(plain(*set->refresh), "refresh");
        EXPECT_EQ(plain(*set->id_token), "id");
        EXPECT_EQ(set->scopes, std::nullopt);
        EXPECT_EQ(set->expires_at, received_at + Seconds(300));
    }
}

}  // namespace
}  // namespace brickgate::testing

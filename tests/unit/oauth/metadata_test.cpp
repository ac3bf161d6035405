// SPDX-License-Identifier: Apache-2.0
#include "oauth/metadata.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace brickgate::testing {
namespace {

std::string const host = "https://dbc-a.cloud.databricks.com";

json::object a_document(std::string const& origin = host) {
    return {{"issuer", origin + "/oidc"},
            {"authorization_endpoint", origin + "/oidc/v1/authorize"},
            {"token_endpoint", origin + "/oidc/v1/token"},
            {"jwks_uri", "https://oregon.cloud.databricks.com/oidc/jwks.json"},
            {"code_challenge_methods_supported", {"S256"}}};
}

MetadataPolicy a_policy(std::string const& origin = host) {
    MetadataPolicy policy;
    policy.issuer_expected = Issuer(origin + "/oidc");
    policy.jwks_host_allowed = [](std::string_view name) {
        return name == "oregon.cloud.databricks.com";
    };
    return policy;
}

HttpResponse answer(std::string_view body, int status = 200) {
    HttpResponse response;
    response.status = status;
    response.body = Secret::copy_of(body);
    return response;
}

std::string verdict(json::object const& document, MetadataPolicy const& policy) {
    auto const found = parse_discovery_response(answer(json::serialize(document)), policy);
    return found ? "" : std::string(found.error().name());
}

std::string with(std::string_view key, auto const& value,
                 MetadataPolicy const& policy = a_policy()) {
    auto document = a_document();
    document[key] = json::value_from(value);
    return verdict(document, policy);
}

TEST(Discovery, asks_without_credentials) {
    auto const request = make_discovery_request(host + "/oidc/.well-known/x");
    EXPECT_EQ(request.method, "GET");
    EXPECT_TRUE(request.authorization.empty());
    EXPECT_TRUE(request.body.empty());
}

TEST(Discovery, a_document_as_Databricks_serves_it) {
    auto const found =
        parse_discovery_response(answer(R"({"issuer":"https:\/\/dbc-a.cloud.databricks.com\/oidc",
        "authorization_endpoint":"https:\/\/dbc-a.cloud.databricks.com\/oidc\/v1\/authorize",
        "token_endpoint":"https:\/\/dbc-a.cloud.databricks.com\/oidc\/v1\/token",
        "jwks_uri":"https:\/\/oregon.cloud.databricks.com\/oidc\/jwks.json",
        "response_types_supported":["code","id_token"],"request_uri_parameter_supported":false,
        "code_challenge_methods_supported":["S256"]})"),
                                 a_policy());
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ(found->issuer.value(), host + "/oidc");
    EXPECT_EQ(found->authorization_endpoint, host + "/oidc/v1/authorize");
    EXPECT_EQ(found->token_endpoint, host + "/oidc/v1/token");
    EXPECT_EQ(found->jwks_uri, "https://oregon.cloud.databricks.com/oidc/jwks.json");
    EXPECT_EQ(found->revocation_endpoint, std::nullopt);
    EXPECT_FALSE(found->iss_parameter_supported);
}

TEST(Discovery, T13_an_endpoint_elsewhere_is_refused) {
    for (auto const* const url : {"https://evil.test/t",
                                  "http://dbc-a.cloud.databricks.com/oidc/v1/token",
                                  "https://dbc-b.cloud.databricks.com/oidc/v1/token",
                                  "https://dbc-a.cloud.databricks.com:8443/oidc/v1/token",
                                  "https://dbc-a.cloud.databricks.com.evil.test/t",
                                  "https://x@dbc-a.cloud.databricks.com/oidc/v1/token",
                                  "https://dbc-a.cloud.databricks.com@evil.test/t",
                                  "https://dbc-a.cloud.databricks.com/oidc/v1/token?x=1",
                                  "https://dbc-a.cloud.databricks.com/oidc/v1/token?",
                                  "https://dbc-a.cloud.databricks.com/oidc/v1/token#x",
                                  "https://dbc-a.cloud.databricks.com\\@evil.test/t",
                                  "//dbc-a.cloud.databricks.com/t",
                                  "/oidc/v1/token",
                                  "",
                                  "https://",
                                  "https:///oidc/v1/token",
                                  "javascript:alert(1)",
                                  "file:///etc/passwd",
                                  "https://dbc-a.cloud.databricks.com /t",
                                  "https://dbc-a.cloud.databricks.com%2eevil.test/t"}) {
        EXPECT_EQ(with("token_endpoint", url), "metadata_endpoint_denied") << url;
        EXPECT_EQ(with("authorization_endpoint", url), "metadata_endpoint_denied") << url;
    }
    EXPECT_EQ(with("token_endpoint", host + "/oidc/other/token"), "");
    EXPECT_EQ(with("token_endpoint", host + ":443/oidc/v1/token"), "");
}

TEST(Discovery, T13_keys_come_from_the_issuer_or_a_host_that_is_trusted_with_them) {
    EXPECT_EQ(with("jwks_uri", host + "/oidc/jwks.json"), "");
    EXPECT_EQ(with("jwks_uri", "https://OREGON.cloud.databricks.com/k"), "");
    for (auto const* const url :
         {"https://evil.test/jwks", "http://oregon.cloud.databricks.com/oidc/jwks.json",
          "https://x@oregon.cloud.databricks.com/k", "https://oregon.cloud.databricks.com/k?a=b",
          "https://oregon.cloud.databricks.com.evil.test/k", "not an address"}) {
        EXPECT_EQ(with("jwks_uri", url), "metadata_endpoint_denied") << url;
    }
    auto strict = a_policy();
    strict.jwks_host_allowed = nullptr;  // an operator-listed host: same origin only
    EXPECT_EQ(with("jwks_uri", "https://oregon.cloud.databricks.com/k", strict),
              "metadata_endpoint_denied");
    EXPECT_EQ(with("jwks_uri", host + "/k", strict), "");
}

TEST(Discovery, T13_another_issuer_is_refused_byte_for_byte) {
    for (auto const& issuer :
         {std::string("https://dbc-b.cloud.databricks.com/oidc"), host, host + "/oidc/",
          std::string("https://DBC-A.cloud.databricks.com/oidc"), host + ":443/oidc",
          std::string("http://dbc-a.cloud.databricks.com/oidc"), std::string()}) {
        EXPECT_EQ(with("issuer", issuer), "metadata_invalid") << issuer;
    }
}

TEST(Discovery, T13_another_issuer_is_followed_only_where_the_policy_knows_it) {
    std::string const other = "https://acme.databricks.com";
    auto policy = a_policy();
    std::vector<std::string> asked;
    policy.other_issuer_allowed = [&](std::string_view issuer) {
        asked.emplace_back(issuer);
        return issuer == other + "/oidc";
    };
    EXPECT_EQ(verdict(a_document(other), policy), "");
    EXPECT_EQ(asked, std::vector<std::string>{other + "/oidc"});
    EXPECT_EQ(verdict(a_document("https://evil.test"), policy), "metadata_invalid");
    EXPECT_EQ(verdict(a_document("http://acme.databricks.com"), policy), "metadata_invalid");
    // Endpoints follow the issuer that was named, not the host that was asked.
    auto split = a_document(other);
    split["token_endpoint"] = host + "/oidc/v1/token";
    EXPECT_EQ(verdict(split, policy), "metadata_endpoint_denied");
    policy.other_issuer_allowed = [](std::string_view) { return true; };
    for (auto const* const issuer :
         {"https://a.test/oidc?x", "https://u@a.test/oidc", "mailto:x"}) {
        EXPECT_EQ(with("issuer", issuer, policy), "metadata_invalid") << issuer;
    }
}

TEST(Discovery, http_is_for_a_listed_loopback_host_only) {
    std::string const sandbox = "http://127.0.0.1:3001";
    auto document = a_document(sandbox);
    document["jwks_uri"] = sandbox + "/oidc/jwks.json";
    auto policy = a_policy(sandbox);
    EXPECT_EQ(verdict(document, policy), "metadata_endpoint_denied");
    policy.plain_http = true;
    EXPECT_EQ(verdict(document, policy), "");
    document["token_endpoint"] = "http://127.0.0.1:3002/oidc/v1/token";
    EXPECT_EQ(verdict(document, policy), "metadata_endpoint_denied");
    document["token_endpoint"] = sandbox + "/oidc/v1/token";
    document["jwks_uri"] = "http://oregon.cloud.databricks.com/k";
    EXPECT_EQ(verdict(document, policy), "metadata_endpoint_denied");
}

TEST(Discovery, T16_without_S256_there_is_no_sign_in) {
    EXPECT_EQ(with("code_challenge_methods_supported", json::array{"plain", "S256"}), "");
    EXPECT_EQ(with("code_challenge_methods_supported", json::array{"plain"}), "pkce_unsupported");
    EXPECT_EQ(with("code_challenge_methods_supported", json::array{"s256"}), "pkce_unsupported");
    EXPECT_EQ(with("code_challenge_methods_supported", json::array{256}), "pkce_unsupported");
    EXPECT_EQ(with("code_challenge_methods_supported", json::array()), "pkce_unsupported");
    EXPECT_EQ(with("code_challenge_methods_supported", "S256"), "pkce_unsupported");
    auto document = a_document();
    document.erase("code_challenge_methods_supported");
    EXPECT_EQ(verdict(document, a_policy()), "pkce_unsupported");
}

TEST(Discovery, what_is_missing_or_no_text_is_refused) {
    for (auto const* const key : {"issuer", "authorization_endpoint", "token_endpoint"}) {
        auto document = a_document();
        document.erase(key);
        EXPECT_EQ(verdict(document, a_policy()), "metadata_invalid") << key;
        EXPECT_EQ(with(key, nullptr), "metadata_invalid") << key;
        EXPECT_EQ(with(key, json::array{host}), "metadata_invalid") << key;
    }
    auto document = a_document();
    document.erase("jwks_uri");
    EXPECT_EQ(verdict(document, a_policy()), "");
}

TEST(Discovery, optional_promises_are_read) {
    auto document = a_document();
    document["revocation_endpoint"] = host + "/oidc/v1/revoke";
    document["authorization_response_iss_parameter_supported"] = true;
    auto found = parse_discovery_response(answer(json::serialize(document)), a_policy());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->revocation_endpoint, host + "/oidc/v1/revoke");
    EXPECT_TRUE(found->iss_parameter_supported);
    // A revocation endpoint elsewhere is not believed, and spoils nothing.
    document["revocation_endpoint"] = "https://evil.test/revoke";
    document["authorization_response_iss_parameter_supported"] = "true";
    found = parse_discovery_response(answer(json::serialize(document)), a_policy());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->revocation_endpoint, std::nullopt);
    EXPECT_FALSE(found->iss_parameter_supported);
}

TEST(Discovery, answers_that_are_no_document) {
    auto const name = [](std::string_view body, int status) {
        auto const found = parse_discovery_response(answer(body, status), a_policy());
        return found ? "" : std::string(found.error().name());
    };
    EXPECT_EQ(name(json::serialize(a_document()), 404), "oauth_unsupported");
    for (int const status : {201, 204, 301, 302, 400, 401, 403, 429, 500, 503}) {
        EXPECT_EQ(name(json::serialize(a_document()), status), "discovery_failed") << status;
    }
    for (auto const* const body :
         {"", "<html>", "[]", "null", "{", R"({"issuer":"a","issuer":"b"})"}) {
        EXPECT_EQ(name(body, 200), "metadata_invalid") << body;
    }
}

TEST(Addresses, origins_compare_as_they_connect) {
    EXPECT_EQ(origin_of("HTTPS://A.Test/x?y"), "https://a.test");
    EXPECT_EQ(origin_of("https://a.test:443/"), "https://a.test");
    EXPECT_EQ(origin_of("http://a.test:80"), "http://a.test");
    EXPECT_EQ(origin_of("https://a.test:80"), "https://a.test:80");
    EXPECT_EQ(origin_of("http://127.0.0.1:3001/x"), "http://127.0.0.1:3001");
    EXPECT_EQ(origin_of("http://[::1]:3001/x"), "http://[::1]:3001");
    EXPECT_EQ(origin_of("a.test"), "");
    EXPECT_EQ(origin_of("mailto:x@a.test"), "");
    EXPECT_EQ(host_of("https://x@A.test:8443/y"), "a.test");
    EXPECT_EQ(host_of("nonsense"), "");
}

}  // namespace
}  // namespace brickgate::testing

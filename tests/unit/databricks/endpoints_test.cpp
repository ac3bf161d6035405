// SPDX-License-Identifier: Apache-2.0
#include "databricks/endpoints.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace brickgate::testing {
namespace {

WorkspaceHost host_of_name(std::string const& typed) {
    HostAllowList list;
    if (auto const added = list.add(typed); !added) {
        ADD_FAILURE() << added.error().message();
    }
    return list.admit(typed).value();
}

std::string const account = "0123abcd-0000-4000-8000-0123456789ab";

TEST(Endpoints, where_things_are) {
    auto const host = host_of_name("dbc-a.cloud.databricks.com");
    EXPECT_EQ(discovery_url(host),
              "https://dbc-a.cloud.databricks.com/oidc/.well-known/oauth-authorization-server");
    EXPECT_EQ(scim_me_url(host), "https://dbc-a.cloud.databricks.com/api/2.0/preview/scim/v2/Me");
    EXPECT_EQ(host_config_url(host),
              "https://dbc-a.cloud.databricks.com/.well-known/databricks-config");
    auto const server = template_endpoints(Issuer("https://dbc-a.cloud.databricks.com/oidc"));
    EXPECT_EQ(server.authorization_endpoint,
              "https://dbc-a.cloud.databricks.com/oidc/v1/authorize");
    EXPECT_EQ(server.token_endpoint, "https://dbc-a.cloud.databricks.com/oidc/v1/token");
    EXPECT_EQ(server.issuer.value(), "https://dbc-a.cloud.databricks.com/oidc");
}

TEST(Endpoints, an_account_has_its_own_root) {
    auto const host = host_of_name("accounts.cloud.databricks.com");
    auto const issuer = account_issuer(host, account);
    ASSERT_TRUE(issuer);
    EXPECT_EQ(discovery_url(*issuer), "https://accounts.cloud.databricks.com/oidc/accounts/" +
                                          account + "/.well-known/oauth-authorization-server");
    for (auto const& id : {std::string(), std::string("../v1"), account + "/x", account.substr(1),
                           std::string(36, '-'), std::string(36, 'a'), "G" + account.substr(1)}) {
        EXPECT_EQ(account_issuer(host, id), std::nullopt) << id;
    }
}

HttpResponse answer(std::string_view body, int status = 200) {
    HttpResponse response;
    response.status = status;
    response.body = Secret::copy_of(body);
    return response;
}

TEST(Endpoints, T13_the_policy_of_each_kind_of_host) {
    auto const aws = metadata_policy(host_of_name("dbc-a.cloud.databricks.com"));
    EXPECT_EQ(aws.issuer_expected.value(), "https://dbc-a.cloud.databricks.com/oidc");
    EXPECT_FALSE(aws.other_issuer_allowed);
    EXPECT_TRUE(aws.jwks_host_allowed("oregon.cloud.databricks.com"));
    EXPECT_FALSE(aws.jwks_host_allowed("evil.test"));
    EXPECT_FALSE(aws.plain_http);

    auto const listed = metadata_policy(host_of_name("http://127.0.0.1:3001"));
    EXPECT_FALSE(listed.other_issuer_allowed);
    EXPECT_FALSE(listed.jwks_host_allowed);
    EXPECT_TRUE(listed.plain_http);

    auto const unified = metadata_policy(host_of_name("acme.databricks.com"));
    ASSERT_TRUE(unified.other_issuer_allowed);
    EXPECT_TRUE(unified.other_issuer_allowed("https://dbc-a.cloud.databricks.com/oidc"));
    for (auto const* const issuer :
         {"https://evil.test/oidc", "https://dbc-a.cloud.databricks.com:8443/oidc",
          "http://dbc-a.cloud.databricks.com/oidc", "https://x@dbc-a.cloud.databricks.com/oidc",
          "https://x.databricksapps.com/oidc", ""}) {
        // Userinfo is for parse_discovery_response to refuse, which sees the whole address.
        bool const userinfo = std::string_view(issuer).find('@') != std::string_view::npos;
        EXPECT_EQ(unified.other_issuer_allowed(issuer), userinfo) << issuer;
    }
}

HostConfig config_of(json::object const& document,
                     std::string const& host = "acme.databricks.com") {
    auto const config = parse_host_config(answer(json::serialize(document)), host_of_name(host));
    EXPECT_TRUE(config);
    return config.value_or(HostConfig());
}

TEST(HostConfig, a_unified_host_names_its_account) {
    auto const config =
        config_of({{"oidc_endpoint", "https://acme.databricks.com/oidc/accounts/{account_id}"},
                   {"account_id", account},
                   {"workspace_id", "1234567890123456"},
                   {"host_type", "unified"},
                   {"cloud", "AWS"}});
    ASSERT_TRUE(config.issuer);
    EXPECT_EQ(config.issuer->value(), "https://acme.databricks.com/oidc/accounts/" + account);
    EXPECT_EQ(config.account_id, account);
    EXPECT_EQ(config.workspace_id, "1234567890123456");
    EXPECT_EQ(config.host_type, "unified");
}

TEST(HostConfig, T13_an_oauth_root_elsewhere_is_not_believed) {
    for (auto const* const root :
         {"https://evil.test/oidc", "http://acme.databricks.com/oidc",
          "https://acme.databricks.com:8443/oidc", "https://x@acme.databricks.com/oidc",
          "https://acme.databricks.com/oidc?x", "https://acme.databricks.com/oidc#x",
          "https://acme.databricks.com/oidc/", "https://acme.databricks.com/%2e%2e/oidc",
          "https://acme.databricks.com/oidc/accounts/{account_id}",  // and no account is named
          "https://acme.databricks.com/{x}", "https://app.databricksapps.com/oidc",
          "https://www.databricks.com/oidc", "/oidc", "", "javascript:alert(1)"}) {
        EXPECT_EQ(config_of({{"oidc_endpoint", root}}).issuer, std::nullopt) << root;
    }
    EXPECT_TRUE(config_of({{"oidc_endpoint", "https://dbc-a.cloud.databricks.com/oidc"}}).issuer);
    EXPECT_TRUE(
        config_of({{"oidc_endpoint", "http://127.0.0.1:3001/oidc"}}, "http://127.0.0.1:3001")
            .issuer);
    // A host that the operator listed speaks for itself only.
    EXPECT_FALSE(config_of({{"oidc_endpoint", "https://dbc-a.cloud.databricks.com/oidc"}},
                           "bricks.corp.example")
                     .issuer);
}

TEST(HostConfig, what_is_malformed_counts_as_absent) {
    auto const config = config_of({{"account_id", "../../x"},
                                   {"workspace_id", 1234},
                                   {"host_type", "<b>"},
                                   {"oidc_endpoint", nullptr}});
    EXPECT_EQ(config.account_id, "");
    EXPECT_EQ(config.workspace_id, "");
    EXPECT_EQ(config.host_type, "");
    EXPECT_EQ(config.issuer, std::nullopt);
    EXPECT_EQ(config_of({{"workspace_id", "12x"}}).workspace_id, "");
    EXPECT_EQ(config_of({}).issuer, std::nullopt);
}

TEST(HostConfig, answers_that_are_none) {
    auto const host = host_of_name("acme.databricks.com");
    for (int const status : {204, 302, 404, 500}) {
        auto const config = parse_host_config(answer("{}", status), host);
        ASSERT_FALSE(config);
        EXPECT_EQ(config.error().code(), ErrorCode::discovery_failed);
    }
    for (auto const* const body : {"", "<html>", "[]", R"({"a":1,"a":2})"}) {
        auto const config = parse_host_config(answer(body), host);
        ASSERT_FALSE(config);
        EXPECT_EQ(config.error().code(), ErrorCode::metadata_invalid);
    }
}

TEST(NamedByOperator, T28_is_an_entry_of_its_own_and_not_a_suffix) {
    HostAllowList list;
    ASSERT_TRUE(list.add(".corp.example"));
    ASSERT_TRUE(list.add("bricks.corp.example"));
    ASSERT_TRUE(list.add("http://127.0.0.1:8081"));
    EXPECT_TRUE(is_named_by_operator(list, "https://bricks.corp.example"));
    EXPECT_TRUE(is_named_by_operator(list, "http://127.0.0.1:8081"));
    ASSERT_TRUE(list.admit("https://any.corp.example"));
    EXPECT_FALSE(is_named_by_operator(list, "https://any.corp.example"));
    EXPECT_FALSE(is_named_by_operator(list, "http://127.0.0.1:8082"));
    EXPECT_FALSE(is_named_by_operator(list, ""));
}

}  // namespace
}  // namespace brickgate::testing

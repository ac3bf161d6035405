// SPDX-License-Identifier: Apache-2.0
#include "connect/authorize_probe.h"

#include "unit/connect/world.h"

namespace brickgate::testing {
namespace {

RedirectUri const ours("http://localhost:3000/callback");

struct Case {
    int status;
    std::string location;
    std::string body;
    ProbeVerdict verdict;
    std::string words;
};

TEST(AuthorizeProbe, reads_what_databricks_says_to_a_browser) {
    for (
        auto const& [status, location, body, verdict, words] : std::vector<Case>{
            {200, "", "<html>", ProbeVerdict::accepted, ""},
            {302, "https://dbc-a.cloud.databricks.com/login.html?next=%2Foidc", "",
             ProbeVerdict::accepted, ""},
            {303, "https://login.microsoftonline.com/x?error=y", "", ProbeVerdict::accepted, ""},
            {302, ours.value() + "?code=x&state=y", "", ProbeVerdict::accepted, ""},
            {302, ours.value() + "?error=access_denied&error_description=Scopes+%27sql%27+are", "",
             ProbeVerdict::refused, "access_denied: Scopes 'sql' are"},
            {400, "",
             R"({"error_description":"redirect_uri 'http://localhost:8020' not registered for OAuth application 'x'","error":"invalid_request"})",
             ProbeVerdict::redirect_wrong,
             "redirect_uri 'http://localhost:8020' not registered for OAuth application 'x'"},
            {400, "",
             R"({"error_description":"OAuth application with client_id: 'xxx' not available in Databricks account 'abc'.","error":"invalid_request"})",
             ProbeVerdict::client_unknown,
             "OAuth application with client_id: 'xxx' not available in Databricks account 'abc'."},
            {400, "", R"({"error":"x","error_description":"scope is \u202e missing"})",
             ProbeVerdict::refused, "scope is  missing"},
            {403, "", "<html>blocked", ProbeVerdict::unclear, ""},
            {400, "", "[]", ProbeVerdict::unclear, ""},
            {500, "", R"({"error_description":"redirect_uri"})", ProbeVerdict::unclear, ""},
            {404, "", "", ProbeVerdict::unclear, ""}}) {
        auto answer = http_answer(status, body);
        answer.headers.add("Location", location);
        auto const outcome = read_probe(answer, ours);
        EXPECT_EQ(outcome.verdict, verdict) << status << ' ' << body;
        EXPECT_EQ(outcome.words, words) << status << ' ' << body;
    }
}

// Answers every address, which has random words in it.
class SignInPage final : public HttpClient {
 public:
    Task<HttpAnswer> send(HttpRequest request, HttpLimits limits) override {
        asked = request.url;
        secrets = request.authorization.size() + request.body.size();
        total = limits.total;
        co_return http_answer(200, "<html>");
    }
    std::string asked;
    std::size_t secrets = 0;
    Milliseconds total{};
};

TEST(AuthorizeProbe, asks_as_a_sign_in_would_and_sends_no_secret) {
    World world;
    SignInPage page;
    auto const server = std::make_shared<ServerMetadata>();
    server->authorization_endpoint = origin_a + "/oidc/v1/authorize";
    auto const outcome = run_task(probe_authorize(page, world.random, world.registered(), server));
    EXPECT_EQ(outcome.verdict, ProbeVerdict::accepted);
    EXPECT_TRUE(page.asked.starts_with(server->authorization_endpoint + "?"));
    EXPECT_EQ(query_field(page.asked, "client_id"), client_id);
    EXPECT_EQ(query_field(page.asked, "redirect_uri"), ours.value());
    EXPECT_EQ(query_field(page.asked, "code_challenge_method"), "S256");
    EXPECT_EQ(query_field(page.asked, "scope"), "all-apis offline_access openid");
    EXPECT_EQ(page.asked.find("s3cret"), std::string::npos);
    EXPECT_EQ(page.secrets, 0U);
    EXPECT_LE(page.total, 10s);
    EXPECT_TRUE(world.store.rows().logins.empty());
}

}  // namespace
}  // namespace brickgate::testing

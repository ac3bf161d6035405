// SPDX-License-Identifier: Apache-2.0
// T68: a configuration that is wrong is refused whole, with one clear line for each mistake, and
// never weakened to something that starts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/load_config.h"

namespace brickgate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Bad {
    std::string what;
    ConfigValues environment;  // values with a lower case name are flags
    std::string file;
    std::vector<std::string> said;  // all of it in the one line
};

std::string const rk = "rk1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
ConfigValues const client{{"CLIENT_ID", "a"}, {"CLIENT_SECRET", "dose-canary-77"}};

ConfigValues with(ConfigValues values, ConfigValues const& more) {
    values.insert(more.begin(), more.end());
    return values;
}

std::vector<Bad> const bad{
    {"the placeholder of the tutorial",
     {{"DATABRICKS_HOST", "https://<your-databricks-instance>"}},
     "",
     {"databricks.host (environment DATABRICKS_HOST)", "<your-databricks-instance>"}},
    {"the placeholder without brackets",
     {{"DATABRICKS_HOST", "your-databricks-instance.cloud.databricks.com"}},
     "",
     {"<your-databricks-instance>"}},
    {"plain http to a host elsewhere",
     {{"DATABRICKS_HOST", "http://dbc-1.cloud.databricks.com"}},
     "",
     {"databricks.host", "loopback"}},
    {"another scheme", {{"DATABRICKS_HOST", "ftp://dbc-1.cloud.databricks.com"}}, "", {"https://"}},
    {"a host with a user name",
     {{"DATABRICKS_HOST", "https://dbc-1.cloud.databricks.com@evil.example"}},
     "",
     {"databricks.host"}},
    {"a host that is an app", {{"DATABRICKS_HOST", "x.databricksapps.com"}}, "", {"apps"}},
    {"a listed host on plain http",
     {{"BRICKGATE_DATABRICKS_HOSTS", "http://other.example"}},
     "",
     {"databricks.hosts", "loopback"}},
    {"a suffix that is a whole top-level domain",
     {{"BRICKGATE_DATABRICKS_HOSTS", ".com"}},
     "",
     {"databricks.hosts", "suffix"}},
    {"a redirect URI on plain http elsewhere",
     {{"REDIRECT_URI", "http://gate.example.com/callback"}},
     "",
     {"databricks.redirect_uri (environment REDIRECT_URI)", "https"}},
    {"a redirect URI without scheme", {{"REDIRECT_URI", "localhost:3000/callback"}}, "", {"https"}},
    {"a redirect URI without path", {{"REDIRECT_URI", "http://localhost:3000"}}, "", {"/callback"}},
    {"a redirect URI with only a slash",
     {{"REDIRECT_URI", "http://localhost:3000/"}},
     "",
     {"/callback"}},
    {"a redirect URI with a query",
     {{"REDIRECT_URI", "http://localhost:3000/callback?x=1"}},
     "",
     {"no query"}},
    {"a redirect URI with a fragment",
     {{"REDIRECT_URI", "http://localhost:3000/callback#x"}},
     "",
     {"fragment"}},
    {"a redirect URI that is a page of ours",
     {{"REDIRECT_URI", "http://localhost:3000/auth"}},
     "",
     {"uses itself"}},
    {"a redirect URI below the API",
     {{"REDIRECT_URI", "http://localhost:3000/v1/callback"}},
     "",
     {"uses itself"}},
    {"a redirect URI on another host than the public URL",
     {{"REDIRECT_URI", "https://a.example/callback"},
      {"BRICKGATE_SERVER_PUBLIC_URL", "https://b.example"}},
     "",
     {"databricks.redirect_uri", "cookie"}},
    {"a redirect URI outside the base path",
     {{"REDIRECT_URI", "https://a.example/callback"},
      {"BRICKGATE_SERVER_PUBLIC_URL", "https://a.example/gate"}},
     "",
     {"databricks.redirect_uri", "below"}},
    {"a public URL on plain http",
     {{"BRICKGATE_SERVER_PUBLIC_URL", "http://gate.example.com"}},
     "",
     {"server.public_url", "https"}},
    {"a public URL with a query",
     {{"BRICKGATE_SERVER_PUBLIC_URL", "https://gate.example.com/?x"}},
     "",
     {"server.public_url", "query"}},
    {"a public URL with a user name",
     {{"BRICKGATE_SERVER_PUBLIC_URL", "https://me@gate.example.com"}},
     "",
     {"server.public_url", "user name"}},
    {"everybody may connect, but nobody said under which name",
     {{"server.listen", "0.0.0.0:3000"}},
     "",
     {"server.public_url (default)", "what do browsers see"}},
    {"a port alone", {{"server.listen", "3000"}}, "", {"server.listen (flag)", "127.0.0.1:3000"}},
    {"a port that is too large", {{"server.listen", "127.0.0.1:70000"}}, "", {"server.listen"}},
    {"a name to listen on", {{"server.listen", "gate.example.com:3000"}}, "", {"server.listen"}},
    {"an IPv6 address without brackets", {{"server.listen", "::1:3000"}}, "", {"server.listen"}},
    {"any free port, but people must come back",
     {{"server.listen", "127.0.0.1:0"}},
     "",
     {"server.listen", "port 0"}},
    {"both listeners on one address",
     {{"server.private_listen", "127.0.0.1:3000"}},
     "",
     {"server.private_listen", "differ"}},
    {"a relative path for the private socket",
     {{"server.private_listen", "unix:api.sock"}},
     "",
     {"server.private_listen"}},
    {"threads in words",
     {{"BRICKGATE_SERVER_THREADS", "four"}},
     "",
     {"server.threads (environment BRICKGATE_SERVER_THREADS)", "0 to 64"}},
    {"a negative number", {{"BRICKGATE_REFRESH_CONCURRENCY", "-1"}}, "", {"1 to 256"}},
    {"a number with a unit", {{"BRICKGATE_REFRESH_LEAD_MAX", "20m"}}, "", {"whole number"}},
    {"a margin longer than the lead",
     {{"BRICKGATE_REFRESH_LEAD_MAX", "30"}},
     "",
     {"refresh.serve_margin", "refresh.lead_max"}},
    {"a flag that is neither",
     {{"BRICKGATE_DATABRICKS_NONCE_REQUIRED", "yes"}},
     "",
     {"databricks.nonce_required", "true or false"}},
    {"a level that does not exist",
     {{"BRICKGATE_LOG_LEVEL", "verbose"}},
     "",
     {"log.level", "debug, info, warning, error"}},
    {"a secret without an id",
     {{"CLIENT_SECRET", "dose-canary-77"}},
     "",
     {"databricks.client_secret (environment CLIENT_SECRET)", "CLIENT_ID"}},
    {"a client id that is a placeholder", {{"CLIENT_ID", "<client-id>"}}, "", {"client id"}},
    {"post without a secret",
     {{"CLIENT_ID", "a"}, {"BRICKGATE_DATABRICKS_CLIENT_AUTHENTICATION", "client_secret_post"}},
     "",
     {"databricks.client_authentication", "CLIENT_SECRET"}},
    {"none with a secret",
     with(client, {{"BRICKGATE_DATABRICKS_CLIENT_AUTHENTICATION", "none"}}),
     "",
     {"databricks.client_authentication", "CLIENT_SECRET"}},
    {"an authentication that is not built",
     with(client, {{"BRICKGATE_DATABRICKS_CLIENT_AUTHENTICATION", "private_key_jwt"}}),
     "",
     {"must be one of"}},
    {"a scope with a quote", {{"BRICKGATE_DATABRICKS_SCOPES", "all-apis \"x\""}}, "", {"scope"}},
    {"scopes that are none", {{"BRICKGATE_DATABRICKS_SCOPES", " , "}}, "", {"at least one"}},
    {"a network that is none",
     {{"BRICKGATE_DATABRICKS_ALLOWED_NETWORKS", "10.1.0.0/99"}},
     "",
     {"databricks.allowed_networks", "10.1.0.0/16"}},
    {"one endpoint of two",
     {{"DATABRICKS_HOST", "dbc-1.cloud.databricks.com"},
      {"BRICKGATE_DATABRICKS_TOKEN_ENDPOINT", "https://dbc-1.cloud.databricks.com/oauth2/token"}},
     "",
     {"databricks.token_endpoint", "go together"}},
    {"keys without endpoints",
     {{"DATABRICKS_HOST", "dbc-1.cloud.databricks.com"},
      {"BRICKGATE_DATABRICKS_JWKS_URI", "https://dbc-1.cloud.databricks.com/jwks"}},
     "",
     {"databricks.jwks_uri"}},
    {"a token endpoint that would get the secret, on a host nobody listed",
     with(client, {{"DATABRICKS_HOST", "dbc-1.cloud.databricks.com"},
                   {"BRICKGATE_DATABRICKS_AUTHORIZATION_ENDPOINT",
                    "https://dbc-1.cloud.databricks.com/oauth2/authorize"},
                   {"BRICKGATE_DATABRICKS_TOKEN_ENDPOINT", "https://evil.example/oauth2/token"}}),
     "",
     {"databricks.token_endpoint", "neither DATABRICKS_HOST nor listed"}},
    {"a return address on plain http",
     {{"BRICKGATE_APP_RETURN_TO", "http://app.example/"}},
     "",
     {"app.return_to", "https"}},
    {"a name with a control character", {{"BRICKGATE_APP_NAME", "A\x07"}}, "", {"app.name"}},
    {"an authority's file that is not there",
     {{"BRICKGATE_TLS_CA_FILE", "/nowhere/ca.pem"}},
     "",
     {"tls.ca_file", "/nowhere/ca.pem"}},
    {"a proxy of another kind", {{"BRICKGATE_TLS_PROXY", "socks5://x:1"}}, "", {"tls.proxy"}},
    {"a root key that is none",
     {{"BRICKGATE_DATA_ROOT_KEY", "dose-canary-77"}},
     "",
     {"data.root_key"}},
    {"two root keys",
     {{"BRICKGATE_DATA_ROOT_KEY", rk}, {"BRICKGATE_DATA_ROOT_KEY_FILE", "/data/key"}},
     "",
     {"data.root_key", "both set"}},
    {"a name that is almost one",
     {{"BRICKGATE_SERVER_LISTN", "127.0.0.1:1"}},
     "",
     {"BRICKGATE_SERVER_LISTN", "did you mean BRICKGATE_SERVER_LISTEN?"}},
    {"a switch against safety that does not exist",
     {{"BRICKGATE_TLS_VERIFY", "false"}},
     "",
     {"BRICKGATE_TLS_VERIFY"}},
    {"a failpoint as a setting", {{"BRICKGATE_FAILPOINT", "K0"}}, "", {"BRICKGATE_FAILPOINT"}},
    {"an unknown key in the file",
     {},
     "[server]\nlisten_on = \"x\"\n",
     {"did you mean server.listen?"}},
    {"an unknown section in the file", {}, "[vault]\ndir = \"x\"\n", {"did you mean data.dir?"}},
    {"a key outside a section", {}, "listen = \"127.0.0.1:1\"\n", {"[server]"}},
    {"no TOML at all", {}, "[server\nlisten=", {"brickgate.toml, line 1"}},
    {"a key twice", {}, "[log]\nlevel = \"info\"\nlevel = \"debug\"\n", {"brickgate.toml, line 3"}},
    {"a list where one value belongs",
     {},
     "[server]\nlisten = [\"127.0.0.1:1\"]\n",
     {"server.listen must be one"}},
    {"a number with a point", {}, "[server]\nthreads = 1.5\n", {"server.threads must be one"}},
    {"a table in a list", {}, "[app]\nreturn_to = [{a = 1}]\n", {"app.return_to must be a list"}},
};

std::expected<LoadedConfig, std::vector<std::string>> load(Bad const& row) {
    ConfigSources sources;
    for (auto const& [name, value] : row.environment) {
        bool const flag = name.front() >= 'a';
        (flag ? sources.flags : sources.environment)[name] = value;
    }
    sources.file_text = row.file;
    sources.file_name = row.file.empty() ? "" : "brickgate.toml";
    sources.default_data_dir = "/state/brickgate";
    return load_config(sources);
}

TEST(BadConfig, T68_each_mistake_is_refused_in_one_clear_line) {
    ASSERT_GE(bad.size(), 30U);
    for (auto const& row : bad) {
        SCOPED_TRACE(row.what);
        auto const loaded = load(row);
        ASSERT_FALSE(loaded) << "it was taken";
        ASSERT_EQ(loaded.error().size(), 1U) << ::testing::PrintToString(loaded.error());
        auto const& line = loaded.error().front();
        EXPECT_EQ(line.find('\n'), std::string::npos) << line;
        EXPECT_LT(line.size(), 260U) << line;
        for (auto const& words : row.said) {
            EXPECT_THAT(line, HasSubstr(words));
        }
    }
}

TEST(BadConfig, T68_a_secret_is_in_no_complaint) {
    for (auto const& row : bad) {
        auto const loaded = load(row);
        ASSERT_FALSE(loaded);
        for (auto const& line : loaded.error()) {
            EXPECT_EQ(line.find("dose-canary-77"), std::string::npos) << line;
            EXPECT_EQ(line.find(rk), std::string::npos) << line;
        }
    }
}

TEST(BadConfig, all_mistakes_are_told_at_once_each_with_its_source) {
    ConfigSources sources;
    sources.flags["server.listen"] = "3000";
    sources.environment["DATABRICKS_HOST"] = "<your-databricks-instance>";
    sources.environment["BRICKGATE_LOG_LEVEL"] = "loud";
    sources.dotenv["CLIENT_SECRET"] = "x";
    sources.file_name = "etc/gate.toml";
    sources.file_text = "[app]\nname = \"\"\nnam = 1\n";
    auto const loaded = load_config(sources);
    ASSERT_FALSE(loaded);
    EXPECT_THAT(loaded.error(),
                ::testing::UnorderedElementsAre(
                    HasSubstr("server.listen (flag)"),
                    HasSubstr("databricks.host (environment DATABRICKS_HOST)"),
                    HasSubstr("log.level (environment BRICKGATE_LOG_LEVEL)"),
                    HasSubstr("databricks.client_secret (.env CLIENT_SECRET)"),
                    HasSubstr("app.name (etc/gate.toml)"),
                    AllOf(HasSubstr("etc/gate.toml"), HasSubstr("did you mean app.name?"))));
}

}  // namespace
}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
// Where values come from, and what a configuration that is right turns into.
#include "app/load_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "app/from_config.h"
#include "app/settings_table.h"
#include "app/validate_config.h"
#include "support/temp_folder.h"

namespace brickgate {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ConfigSources sources_of(ConfigValues flags, ConfigValues environment, ConfigValues dotenv = {},
                         std::string file = {}) {
    ConfigSources sources;
    sources.flags = std::move(flags);
    sources.environment = std::move(environment);
    sources.dotenv = std::move(dotenv);
    sources.file_name = file.empty() ? "" : "brickgate.toml";
    sources.file_text = std::move(file);
    sources.default_data_dir = "/state/brickgate";
    return sources;
}

LoadedConfig must_load(ConfigSources const& sources) {
    auto loaded = load_config(sources);
    if (!loaded) {
        for (auto const& line : loaded.error()) {
            ADD_FAILURE() << line;
        }
        return {};
    }
    return std::move(*loaded);
}

LoadedConfig with_environment(ConfigValues environment) {
    return must_load(sources_of({}, std::move(environment)));
}

std::string exposed(Secret const& secret) {
    return secret.expose([](std::string_view text) { return std::string(text); });
}

TEST(LoadConfig, nothing_at_all_is_a_configuration) {
    auto const loaded = must_load(sources_of({}, {}));
    EXPECT_EQ(loaded.config.server.listen, "127.0.0.1:3000");
    EXPECT_EQ(loaded.config.server.public_url, "http://localhost:3000");
    EXPECT_EQ(loaded.config.databricks.redirect_uri, "http://localhost:3000/callback");
    EXPECT_EQ(loaded.config.data.dir, "/state/brickgate");
    EXPECT_THAT(loaded.warnings, IsEmpty());
    for (auto const& setting : all_settings()) {
        EXPECT_EQ(loaded.source.at(setting.name()), "default") << setting.name();
    }
}

TEST(LoadConfig, the_tutorials_names_are_enough) {
    auto const loaded = with_environment({{"CLIENT_ID", "abc"},
                                          {"CLIENT_SECRET", " dose1 "},
                                          {"DATABRICKS_HOST", "dbc-1.cloud.databricks.com"}});
    EXPECT_EQ(loaded.config.databricks.client_id, "abc");
    EXPECT_EQ(exposed(loaded.config.databricks.client_secret), "dose1");
    EXPECT_EQ(loaded.source.at("databricks.client_id"), "environment CLIENT_ID");
    auto const registration = make_registration(loaded.config);
    EXPECT_EQ(registration->fixed_workspace->origin(), "https://dbc-1.cloud.databricks.com");
    EXPECT_EQ(registration->client.method, ClientAuthentication::Method::client_secret_basic);
    EXPECT_EQ(registration->redirect_uri.value(), "http://localhost:3000/callback");
}

TEST(LoadConfig, flag_beats_environment_beats_dotenv_beats_file_beats_default) {
    std::string const file = "[server]\nlisten = \"127.0.0.1:5\"\n";
    ConfigValues const flag{{"server.listen", "127.0.0.1:1"}};
    ConfigValues const environment{{"BRICKGATE_SERVER_LISTEN", "127.0.0.1:2"}};
    ConfigValues const dotenv{{"BRICKGATE_SERVER_LISTEN", "127.0.0.1:3"}};
    struct Row {
        ConfigSources sources;
        std::string_view listen, source;
    };
    std::vector<Row> rows;
    rows.push_back({sources_of(flag, environment, dotenv, file), "127.0.0.1:1", "flag"});
    rows.push_back({sources_of({}, environment, dotenv, file), "127.0.0.1:2",
                    "environment BRICKGATE_SERVER_LISTEN"});
    rows.push_back(
        {sources_of({}, {}, dotenv, file), "127.0.0.1:3", ".env BRICKGATE_SERVER_LISTEN"});
    rows.push_back({sources_of({}, {}, {}, file), "127.0.0.1:5", "brickgate.toml"});
    rows.push_back({sources_of({}, {}), "127.0.0.1:3000", "default"});
    for (auto const& row : rows) {
        auto const loaded = must_load(row.sources);
        EXPECT_EQ(loaded.config.server.listen, row.listen);
        EXPECT_EQ(loaded.source.at("server.listen"), row.source);
    }
}

TEST(LoadConfig, our_own_name_beats_the_plain_one_of_the_same_place) {
    auto const loaded =
        with_environment({{"CLIENT_ID", "plain"}, {"BRICKGATE_DATABRICKS_CLIENT_ID", "own"}});
    EXPECT_EQ(loaded.config.databricks.client_id, "own");
    auto const other = must_load(
        sources_of({}, {{"CLIENT_ID", "plain"}}, {{"BRICKGATE_DATABRICKS_CLIENT_ID", "own"}}));
    EXPECT_EQ(other.config.databricks.client_id, "plain");
}

TEST(LoadConfig, an_empty_variable_is_none) {
    auto const loaded = must_load(
        sources_of({}, {{"REDIRECT_URI", ""}, {"BRICKGATE_SERVER_THREADS", ""}, {"CLIENT_ID", ""}},
                   {{"CLIENT_ID", "from-dotenv"}}));
    EXPECT_EQ(loaded.config.databricks.client_id, "from-dotenv");
    EXPECT_EQ(loaded.config.databricks.redirect_uri, "http://localhost:3000/callback");
}

TEST(LoadConfig, foreign_names_are_nobodys_business) {
    must_load(sources_of({}, {{"PATH", "/bin"}, {"DATABRICKS_TOKEN", "dapi"}},
                         {{"PORT", "1"}, {"DB_PASSWORD", "x"}}));
}

TEST(LoadConfig, kubernetes_may_name_its_service_after_us) {
    must_load(sources_of({}, {{"BRICKGATE_SERVICE_HOST", "10.0.0.1"},
                              {"BRICKGATE_SERVICE_PORT", "3000"},
                              {"BRICKGATE_SERVICE_PORT_HTTP", "3000"},
                              {"BRICKGATE_PORT", "tcp://10.0.0.1:3000"},
                              {"BRICKGATE_PORT_3000_TCP_ADDR", "10.0.0.1"}}));
}

TEST(LoadConfig, every_setting_can_be_set_in_every_place) {
    ConfigValues const good{
        {"server.listen", "127.0.0.1:9"},
        {"server.private_listen", "127.0.0.1:10"},
        {"server.public_url", "https://gate.example.com"},
        {"server.names", "gate.internal"},
        {"server.trusted_proxies", "10.0.0.1"},
        {"server.threads", "2"},
        {"databricks.host", "https://dbc-1.cloud.databricks.com"},
        {"databricks.client_id", "abc"},
        {"databricks.client_secret", "dose1"},
        {"databricks.redirect_uri", "https://gate.example.com/back"},
        {"databricks.scopes", "sql, offline_access"},
        {"databricks.hosts", ".corp.example, adb-1.2.azuredatabricks.net"},
        {"databricks.client_authentication", "client_secret_post"},
        {"databricks.authorization_endpoint",
         "https://dbc-1.cloud.databricks.com/oauth2/authorize"},
        {"databricks.token_endpoint", "https://dbc-1.cloud.databricks.com/oauth2/token"},
        {"databricks.jwks_uri", "https://dbc-1.cloud.databricks.com/oidc/jwks.json"},
        {"databricks.nonce_required", "true"},
        {"databricks.allowed_networks", "10.1.0.0/16"},
        {"databricks.refresh_token_life", "604800"},
        {"databricks.session_life", "2592000"},
        {"app.name", "Acme"},
        {"app.return_to", "https://app.example.com/done?x=1"},
        {"data.dir", "/data"},
        {"data.root_key_file", "/data/key"},
        {"data.root_key", "rk1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
        {"data.root_key_credential", "brickgate-root"},
        {"data.root_key_command", "root-key-helper"},
        {"data.root_key_passphrase_file", "/data/passphrase"},
        {"data.memory_lock", "required"},
        {"data.spool_segment_kib", "512"},
        {"refresh.lead_max", "600"},
        {"refresh.serve_margin", "30"},
        {"refresh.uncertain_wait", "10"},
        {"refresh.uncertain_retry", "late"},
        {"refresh.concurrency", "4"},
        {"refresh.rate", "20"},
        {"refresh.host_rate", "2"},
        {"proxy.request_headers", "X-Request-Source"},
        {"proxy.rate_limits_file", "/etc/passwd"},
        {"proxy.rate_mode", "report"},
        {"proxy.queue_max", "5"},
        {"proxy.attempts_max", "2"},
        {"proxy.retry_time_max", "30"},
        {"proxy.answer_timeout", "120"},
        {"limits.logins_max", "50"},
        {"limits.requests_per_key", "10"},
        {"limits.requests_per_address", "20"},
        {"limits.connections_max", "100"},
        {"limits.connections_per_address_max", "10"},
        {"limits.watchers_max", "30"},
        {"tls.cert_file", "/etc/passwd"},
        {"tls.key_file", "/etc/passwd"},
        {"tls.terminated_upstream", "true"},
        {"tls.ca_file", "/etc/passwd"},
        {"tls.proxy", "http://proxy.corp.example:3128"},
        {"log.level", "debug"},
        {"log.format", "json"}};
    for (auto const& setting : all_settings()) {
        ASSERT_TRUE(good.contains(setting.name())) << setting.name() << " has no row here";
        std::string const value = good.at(setting.name());
        auto const check = [&](ConfigSources const& sources, std::string const& where) {
            Config config;
            auto const loaded = load_config(sources);
            // Some settings ask for others; that complaint is not about this value.
            if (!loaded) {
                EXPECT_THAT(loaded.error().front(), ::testing::Not(HasSubstr("there is no")))
                    << setting.name() << where;
                return;
            }
            EXPECT_EQ(loaded->source.at(setting.name()), where) << setting.name();
            ASSERT_TRUE(setting.set(config, value));
            if (setting.secret) {
                EXPECT_EQ(setting.show(config), "(set, not shown)");
            } else {
                EXPECT_EQ(setting.show(config), value);
            }
        };
        check(sources_of({}, {{setting.environment_name(), value}}),
              "environment " + setting.environment_name());
        std::string const section(setting.section);
        std::string const key(setting.key);
        check(sources_of({}, {}, {}, "[" + section + "]\n" + key + " = \"" + value + "\"\n"),
              "brickgate.toml");
    }
}

TEST(LoadConfig, the_file_has_lists_numbers_and_flags) {
    auto const loaded = must_load(sources_of({}, {}, {}, R"(
        [server]
        threads = 3
        [databricks]
        host = "https://dbc-1.cloud.databricks.com"
        hosts = ["dbc-2.cloud.databricks.com", ".corp.example"]
        nonce_required = true
        scopes = ["all-apis", "offline_access"]
        [app]
        return_to = ["https://a.example/?x=1,2", "https://b.example/"]
    )"));
    EXPECT_EQ(loaded.config.server.threads, 3U);
    EXPECT_TRUE(loaded.config.databricks.nonce_required);
    EXPECT_THAT(loaded.config.databricks.hosts,
                ElementsAre("dbc-2.cloud.databricks.com", ".corp.example"));
    EXPECT_THAT(loaded.config.app.return_to,
                ElementsAre("https://a.example/?x=1,2", "https://b.example/"));
}

TEST(LoadConfig, a_host_is_understood_however_it_was_copied) {
    for (std::string const host :
         {"dbc-1.cloud.databricks.com", "https://dbc-1.cloud.databricks.com",
          "https://dbc-1.cloud.databricks.com/", "HTTPS://DBC-1.Cloud.Databricks.com/?o=123",
          " https://dbc-1.cloud.databricks.com/browse/folders/1?o=123#x ",
          "dbc-1.cloud.databricks.com/?o=123"}) {
        auto const loaded = with_environment({{"DATABRICKS_HOST", host}});
        auto const registration = make_registration(loaded.config);
        ASSERT_TRUE(registration->fixed_workspace) << host;
        EXPECT_EQ(registration->fixed_workspace->origin(), "https://dbc-1.cloud.databricks.com");
    }
}

TEST(LoadConfig, plain_http_on_loopback_is_taken_and_told) {
    auto const loaded = with_environment({{"DATABRICKS_HOST", "http://127.0.0.1:3001"}});
    EXPECT_THAT(loaded.warnings, Contains(HasSubstr("plain http")));
}

TEST(LoadConfig, the_public_url_follows_the_redirect_uri) {
    auto const behind_a_proxy = with_environment(
        {{"REDIRECT_URI", "https://gate.example.com/callback"}, {"CLIENT_ID", "a"}});
    EXPECT_EQ(behind_a_proxy.config.server.public_url, "https://gate.example.com");
    auto const settings =
        make_server_settings(behind_a_proxy.config, *make_registration(behind_a_proxy.config));
    EXPECT_FALSE(settings.plain_cookies);
    EXPECT_EQ(settings.callback_path, "/callback");

    auto const other_port = must_load(sources_of({{"server.listen", "127.0.0.1:4000"}}, {}));
    EXPECT_EQ(other_port.config.databricks.redirect_uri, "http://localhost:4000/callback");
    EXPECT_TRUE(make_server_settings(other_port.config, *make_registration(other_port.config))
                    .plain_cookies);
}

TEST(LoadConfig, the_callback_path_is_the_redirect_uris_below_the_base_path) {
    auto const loaded =
        with_environment({{"BRICKGATE_SERVER_PUBLIC_URL", "https://corp.example/gate/"},
                          {"REDIRECT_URI", "https://corp.example/gate/oauth/back"}});
    auto const settings = make_server_settings(loaded.config, *make_registration(loaded.config));
    EXPECT_EQ(settings.public_url, "https://corp.example/gate");
    EXPECT_EQ(settings.base_path, "/gate");
    EXPECT_EQ(settings.callback_path, "/oauth/back");
}

TEST(LoadConfig, without_a_secret_the_client_is_public_and_with_one_it_is_as_told) {
    using Method = ClientAuthentication::Method;
    struct Row {
        ConfigValues environment;
        Method method;
    };
    std::string const name = "BRICKGATE_DATABRICKS_CLIENT_AUTHENTICATION";
    for (auto const& row : std::vector<Row>{
             {{{"CLIENT_ID", "a"}}, Method::none},
             {{{"CLIENT_ID", "a"}, {"CLIENT_SECRET", "b"}}, Method::client_secret_basic},
             {{{"CLIENT_ID", "a"}, {"CLIENT_SECRET", "b"}, {name, "client_secret_post"}},
              Method::client_secret_post}}) {
        EXPECT_EQ(make_registration(with_environment(row.environment).config)->client.method,
                  row.method);
    }
}

TEST(LoadConfig, the_terminals_client_has_no_secret_and_serves_every_workspace) {
    auto const loaded = with_environment({{"CLIENT_ID", "a"}, {"CLIENT_SECRET", "b"}});
    auto const registration = make_terminal_registration(loaded.config);
    EXPECT_TRUE(registration->client.client_secret.empty());
    EXPECT_EQ(registration->client.method, ClientAuthentication::Method::none);
    EXPECT_TRUE(registration->hosts.admit("adb-1234.5.azuredatabricks.net"));
    EXPECT_FALSE(registration->hosts.admit("evil.example"));
    EXPECT_FALSE(registration->hosts.admit("http://127.0.0.1:3001"));
    EXPECT_NE(registration->id, make_registration(loaded.config)->id);
}

TEST(LoadConfig, a_scope_list_without_offline_access_is_warned_about) {
    auto const loaded = with_environment({{"BRICKGATE_DATABRICKS_SCOPES", "all-apis"}});
    EXPECT_THAT(loaded.warnings, Contains(HasSubstr("offline_access")));
}

TEST(LoadConfig, a_reload_keeps_the_secrets_that_the_environment_no_longer_has) {
    auto const before =
        with_environment({{"CLIENT_ID", "a"},
                          {"CLIENT_SECRET", "b"},
                          {"BRICKGATE_DATABRICKS_CLIENT_AUTHENTICATION", "client_secret_post"}});
    auto const sources =
        sources_of({}, {{"CLIENT_ID", "a"},
                        {"BRICKGATE_LOG_LEVEL", "debug"},
                        {"BRICKGATE_DATABRICKS_CLIENT_AUTHENTICATION", "client_secret_post"}});
    auto const after = load_config(sources, &before);
    ASSERT_TRUE(after);
    EXPECT_EQ(after->config.log.level, "debug");
    EXPECT_TRUE(after->config.databricks.client_secret.ct_equal("b"));
}

class InFolder : public ::testing::Test {
 protected:
    void SetUp() override {
        before_ = std::filesystem::current_path();
        std::filesystem::current_path(folder_.path());
        setenv("XDG_CONFIG_HOME", (folder_ / "of-the-user").c_str(), 1);
    }
    void TearDown() override {
        std::filesystem::current_path(before_);
        for (auto const* name :
             {"CLIENT_SECRET", "BRICKGATE_DATA_ROOT_KEY", "STATE_DIRECTORY", "XDG_CONFIG_HOME"}) {
            unsetenv(name);
        }
    }
    static void write(std::string const& name, std::string const& text, mode_t mode = 0600) {
        std::ofstream(name) << text;
        chmod(name.c_str(), mode);
    }
    ConfigSources must_read(std::string const& file = {},
                            WorkingFolder folder = WorkingFolder::decides) {
        warnings_.clear();
        auto sources = read_sources({}, file, warnings_, folder);
        EXPECT_TRUE(sources);
        return sources ? std::move(*sources) : ConfigSources();
    }

    testing::TempFolder folder_;
    std::filesystem::path before_;
    std::vector<std::string> warnings_;
};

TEST_F(InFolder, T65_secrets_are_taken_out_of_the_environment_for_good) {
    setenv("CLIENT_SECRET", "dose-canary-5521", 1);
    char const* const where = getenv("CLIENT_SECRET");
    auto const sources = must_read();
    EXPECT_EQ(sources.environment.at("CLIENT_SECRET"), "dose-canary-5521");
    EXPECT_EQ(getenv("CLIENT_SECRET"), nullptr);
    EXPECT_EQ(std::string_view(where, 4), std::string_view("\0\0\0\0", 4));
}

TEST_F(InFolder, dotenv_and_file_of_the_working_folder_are_read) {
    write(".env", "CLIENT_ID=from-dotenv\nUNRELATED=1\n");
    write("brickgate.toml", "[app]\nname = \"Acme\"\n");
    auto const loaded = must_load(must_read());
    EXPECT_EQ(loaded.config.databricks.client_id, "from-dotenv");
    EXPECT_EQ(loaded.source.at("databricks.client_id"), ".env CLIENT_ID");
    EXPECT_EQ(loaded.config.app.name, "Acme");
}

TEST_F(InFolder, a_wide_dotenv_is_warned_about_only_if_it_holds_a_secret) {
    write(".env", "CLIENT_ID=a\n", 0644);
    must_read();
    EXPECT_THAT(warnings_, IsEmpty());
    write(".env", "CLIENT_ID=a\nCLIENT_SECRET=b\n", 0644);
    must_read();
    EXPECT_THAT(warnings_, ElementsAre(HasSubstr("chmod 600 .env")));
}

TEST_F(InFolder, a_wide_file_with_a_secret_is_warned_about) {
    write("brickgate.toml",
          "[databricks]\nclient_id = \"a\"\nclient_secret = \"b\"\nhosts = [\".corp.example\"]\n",
          0644);
    EXPECT_THAT(must_load(must_read()).warnings,
                ElementsAre(HasSubstr("chmod 600 brickgate.toml")));
    chmod("brickgate.toml", 0600);
    EXPECT_THAT(must_load(must_read()).warnings, IsEmpty());
}

TEST_F(InFolder, a_folder_called_dotenv_is_pythons) {
    std::filesystem::create_directory(".env");
    must_read();
    EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(InFolder, a_file_that_was_named_must_be_there) {
    auto const sources = read_sources({}, "other.toml", warnings_);
    ASSERT_FALSE(sources);
    EXPECT_EQ(sources.error().code(), ErrorCode::config_invalid);
    EXPECT_THAT(sources.error().message(), HasSubstr("other.toml"));
}

TEST_F(InFolder, a_service_manager_names_the_data_folder) {
    setenv("STATE_DIRECTORY", "/var/lib/brickgate:/var/lib/other", 1);
    EXPECT_EQ(must_read().default_data_dir, "/var/lib/brickgate");
}

// A cloned repository, or a folder of somebody else's: with a proxy and an authority of theirs the
// refresh token and the client's secret would go to them.
TEST_F(InFolder, T68_a_folder_that_one_stands_in_names_the_app_and_nothing_else) {
    write(".env",
          "CLIENT_ID=a\nBRICKGATE_DATABRICKS_CLIENT_SECRET=dose1\nDATABRICKS_HOST=dbc-1.cloud."
          "databricks.com\nBRICKGATE_TLS_PROXY=http://127.0.0.1:9\nBRICKGATE_TLS_CA_FILE=ca.pem\n"
          "BRICKGATE_DATA_DIR=/tmp/theirs\nBRICKGATE_DATABRICKS_HOSTS=evil.test\n"
          "BRICKGATE_DATABRICKS_TOKEN_ENDPOINT=https://dbc-1.cloud.databricks.com/drop\n");
    write("brickgate.toml", "[tls]\nproxy = \"http://127.0.0.1:8\"\n");
    auto const loaded = must_load(must_read({}, WorkingFolder::names_the_app));
    EXPECT_EQ(loaded.config.databricks.client_id, "a");
    EXPECT_EQ(exposed(loaded.config.databricks.client_secret), "dose1");
    EXPECT_EQ(loaded.config.databricks.host, "dbc-1.cloud.databricks.com");
    for (auto const& setting : all_settings()) {
        bool const of_the_app = setting.section == "databricks" &&
                                (setting.key == "host" || setting.key.starts_with("client_"));
        if (!of_the_app) {
            EXPECT_EQ(loaded.source.at(setting.name()), "default") << setting.name();
        }
    }
    EXPECT_THAT(warnings_,
                ElementsAre(AllOf(HasSubstr("BRICKGATE_TLS_PROXY"), HasSubstr("BRICKGATE_DATA_DIR"),
                                  Not(HasSubstr("CLIENT_ID"))),
                            HasSubstr("brickgate.toml of this folder: not read")));
}

TEST_F(InFolder, T68_what_is_named_or_the_users_own_counts_wherever_one_stands) {
    write("brickgate.toml", "[tls]\nproxy = \"http://127.0.0.1:8\"\n");
    for (auto const folder : {WorkingFolder::names_the_app, WorkingFolder::is_ignored}) {
        EXPECT_EQ(must_load(must_read("brickgate.toml", folder)).config.tls.proxy,
                  "http://127.0.0.1:8");
        EXPECT_THAT(warnings_, IsEmpty());
    }
    std::filesystem::create_directories("of-the-user/brickgate");
    write("of-the-user/brickgate/brickgate.toml", "[tls]\nproxy = \"http://127.0.0.1:7\"\n");
    for (auto const folder : {WorkingFolder::names_the_app, WorkingFolder::is_ignored}) {
        EXPECT_EQ(must_load(must_read({}, folder)).config.tls.proxy, "http://127.0.0.1:7");
    }
    EXPECT_EQ(must_load(must_read()).config.tls.proxy, "http://127.0.0.1:8");
    std::filesystem::remove("brickgate.toml");
    EXPECT_EQ(must_load(must_read()).config.tls.proxy, "http://127.0.0.1:7");
}

TEST_F(InFolder, T68_an_ignored_folder_is_not_even_read) {
    write(".env", "CLIENT_ID=a\n", 0666);
    write("brickgate.toml", "no TOML", 0666);
    auto const loaded = must_load(must_read({}, WorkingFolder::is_ignored));
    EXPECT_EQ(loaded.config.databricks.client_id, "");
    EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(InFolder, T68_a_file_that_others_may_write_is_refused_and_not_passed_over) {
    std::filesystem::create_directories("of-the-user/brickgate");
    for (std::string const name :
         {".env", "brickgate.toml", "of-the-user/brickgate/brickgate.toml"}) {
        for (mode_t const mode : {mode_t{0620}, mode_t{0602}, mode_t{0666}}) {
            write(name, "", mode);
            auto const sources = read_sources({}, {}, warnings_);
            ASSERT_FALSE(sources) << name;
            EXPECT_EQ(sources.error().code(), ErrorCode::config_invalid);
            EXPECT_THAT(sources.error().message(),
                        AllOf(HasSubstr("can be written by others"), HasSubstr("chmod go-w")));
        }
        chmod(name.c_str(), 0644);
        EXPECT_TRUE(read_sources({}, {}, warnings_)) << name;
        std::filesystem::remove(name);  // or it would be read in the next one's place
    }
}

TEST_F(InFolder, T68_a_file_or_link_of_another_user_is_refused) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can give a file away";
    }
    for (std::string const name : {".env", "brickgate.toml"}) {
        write(name, "");
        ASSERT_EQ(chown(name.c_str(), 65534, 65534), 0);
        auto const sources = read_sources({}, {}, warnings_);
        ASSERT_FALSE(sources) << name;
        EXPECT_EQ(sources.error().code(), ErrorCode::config_invalid);
        EXPECT_THAT(sources.error().message(), HasSubstr("belongs to another user (uid 65534)"));
        std::filesystem::remove(name);
        // Their link to a file of ours: which of ours is read was theirs to choose.
        write("ours", "");
        std::filesystem::create_symlink("ours", name);
        EXPECT_TRUE(read_sources({}, {}, warnings_)) << name;
        ASSERT_EQ(lchown(name.c_str(), 65534, 65534), 0);
        EXPECT_FALSE(read_sources({}, {}, warnings_)) << name;
        std::filesystem::remove(name);
    }
}

TEST(PathOf, is_what_stands_behind_the_host) {
    EXPECT_EQ(path_of("https://a.example"), "");
    EXPECT_EQ(path_of("https://a.example/x/y"), "/x/y");
    EXPECT_TRUE(listens_on_loopback("127.0.0.1:3000"));
    EXPECT_TRUE(listens_on_loopback("localhost:3000"));
    EXPECT_TRUE(listens_on_loopback("[::1]:3000"));
    EXPECT_FALSE(listens_on_loopback("0.0.0.0:3000"));
    EXPECT_FALSE(listens_on_loopback("[::]:3000"));
}

}  // namespace
}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
// What the gateway calls itself, and what it says where that leads nowhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/from_config.h"
#include "app/load_config.h"

namespace brickgate {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

LoadedConfig loaded(ConfigValues flags) {
    flags.emplace("databricks.client_id", "app");
    ConfigSources sources;
    sources.flags = std::move(flags);
    sources.default_data_dir = "/tmp/brickgate";
    auto config = load_config(sources);
    EXPECT_TRUE(config) << config.error().front();
    return config ? std::move(*config) : LoadedConfig();
}
std::vector<std::string> warnings(ConfigValues flags) {
    return loaded(std::move(flags)).warnings;
}
HostNames names(ConfigValues flags) {
    auto const config = loaded(std::move(flags));
    auto const registration = make_registration(config.config);
    auto names = make_server_settings(config.config, *registration).host_names;
    std::ranges::sort(names.names);
    auto const twice = std::ranges::unique(names.names);
    names.names.erase(twice.begin(), twice.end());
    return names;
}

std::string const host = "https://dbc-a.cloud.databricks.com";

TEST(RedirectWarning, a_port_of_this_machine_where_nobody_listens_is_said) {
    auto const leads_elsewhere = Contains(HasSubstr("leads to port"));
    for (auto const& flags :
         std::vector<ConfigValues>{{{"server.listen", "127.0.0.1:3001"},
                                    {"databricks.redirect_uri", "http://localhost:3000/callback"}},
                                   {{"server.listen", "127.0.0.1:3000"},
                                    {"databricks.redirect_uri", "http://localhost/callback"}},
                                   {{"server.listen", "127.0.0.1:3000"},
                                    {"databricks.redirect_uri", "http://[::1]:3001/callback"}},
                                   {{"server.listen", "127.0.0.1:3000"},
                                    {"server.public_url", "http://127.0.0.1:8080"}}}) {
        auto with_host = flags;
        with_host["databricks.host"] = host;
        EXPECT_THAT(warnings(with_host), leads_elsewhere) << flags.rbegin()->second;
    }
    for (auto const& flags : std::vector<ConfigValues>{
             {},
             {{"server.listen", "127.0.0.1:3001"}},
             {{"server.listen", "127.0.0.1:80"},
              {"databricks.redirect_uri", "http://localhost/callback"}},
             {{"server.listen", "127.0.0.1:0"},
              {"databricks.redirect_uri", "http://localhost:3000/callback"}},
             {{"databricks.redirect_uri", "https://gate.example.com/callback"}}}) {
        auto with_host = flags;
        with_host["databricks.host"] = host;
        EXPECT_THAT(warnings(with_host), Not(leads_elsewhere));
    }
}

TEST(WorkspaceWarning, an_app_that_nobody_can_sign_in_with_is_said) {
    auto const none = Contains(HasSubstr("there is no workspace"));
    EXPECT_THAT(warnings({}), none);
    EXPECT_THAT(warnings({{"databricks.client_id", ""}}), Not(none)) << "brickgate login works";
    EXPECT_THAT(warnings({{"databricks.host", host}}), IsEmpty());
    EXPECT_THAT(warnings({{"databricks.hosts", ".corp.example"}}), IsEmpty());
}

TEST(HostNames, T54_are_those_of_the_configuration) {
    EXPECT_THAT(names({}).names, UnorderedElementsAre("localhost", "127.0.0.1", "[::1]"));
    EXPECT_FALSE(names({}).any_address);
    EXPECT_THAT(names({{"server.public_url", "https://gate.example.com/base"}}).names,
                UnorderedElementsAre("gate.example.com", "localhost", "127.0.0.1", "[::1]"));
    EXPECT_THAT(
        names({{"server.names", "Brickgate,gate.internal"}}).names,
        UnorderedElementsAre("brickgate", "gate.internal", "localhost", "127.0.0.1", "[::1]"));
    auto const apart = names({{"server.listen", "10.0.0.5:3000"},
                              {"tls.terminated_upstream", "true"},
                              {"server.public_url", "https://gate.example.com"}});
    EXPECT_THAT(apart.names, UnorderedElementsAre("gate.example.com", "10.0.0.5", "localhost",
                                                  "127.0.0.1", "[::1]"));
    EXPECT_FALSE(apart.any_address);
    auto const everywhere = names({{"server.listen", "0.0.0.0:3000"},
                                   {"tls.terminated_upstream", "true"},
                                   {"server.public_url", "https://gate.example.com"},
                                   {"server.private_listen", "unix:/run/brickgate.sock"}});
    EXPECT_TRUE(everywhere.any_address);
    EXPECT_THAT(everywhere.names,
                UnorderedElementsAre("gate.example.com", "localhost", "127.0.0.1", "[::1]"));
}

TEST(HostNames, are_names_and_nothing_else) {
    for (auto const* const name :
         {"https://gate.example.com", "gate.example.com:3000", "gate example", "*.example.com"}) {
        ConfigSources sources;
        sources.flags = {{"server.names", name}};
        sources.default_data_dir = "/tmp/brickgate";
        auto const config = load_config(sources);
        ASSERT_FALSE(config) << name;
        EXPECT_THAT(config.error().front(), HasSubstr("server.names"));
    }
}

}  // namespace
}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
// T12: which host is meant, and whether it may be spoken to at all.
#include "databricks/workspace.h"

#include <gtest/gtest.h>

#include "support/data_file.h"

namespace brickgate::testing {
namespace {

std::string const listed = "dbc-a1b2c3d4-e5f6.cloud.databricks.com";

HostAllowList list_of(std::initializer_list<std::string_view> entries) {
    HostAllowList list;
    for (auto const entry : entries) {
        auto const added = list.add(entry);
        EXPECT_TRUE(added) << entry;
    }
    return list;
}

HostAllowList every_databricks_host() {
    HostAllowList list;
    list.add_databricks();
    return list;
}

std::string verdict(HostAllowList const& list, std::string_view typed) {
    auto const host = list.admit(typed);
    return host ? host->origin() : std::string(host.error().name());
}

TEST(Hosts, T12_no_hostile_host_is_admitted_by_any_list) {
    auto everything = list_of({listed, ".corp.example"});
    everything.add_databricks();
    for (auto const& row : read_table("hostile_hosts.json", 50)) {
        auto const typed = text_at(row.as_object(), "typed");
        EXPECT_EQ(verdict(everything, typed), "host_denied")
            << text_at(row.as_object(), "why") << ": " << typed.substr(0, 100);
        EXPECT_EQ(databricks_host_kind(typed), std::nullopt) << typed.substr(0, 100);
    }
}

TEST(Hosts, T12_one_odd_byte_anywhere_and_the_host_is_refused) {
    auto const list = list_of({listed});
    for (std::size_t at = 0; at <= listed.size(); ++at) {
        for (auto const* const odd : {"@", "\\", "%2e", "%00", " ", "\t", "\n", ":", ";", ",", "_",
                                      "*", "\xC3\xA4", "\xEF\xBC\x8E", "..", "<", "'", "|", "~"}) {
            auto typed = listed;
            typed.insert(at, odd);
            if ((at == 0 || at == listed.size()) &&
                std::string_view(odd).find_first_not_of(" \t\n") == std::string_view::npos) {
                EXPECT_EQ(verdict(list, typed), "https://" + listed);  // white space around it
                continue;
            }
            EXPECT_EQ(verdict(list, typed), "host_denied") << typed;
            EXPECT_EQ(verdict(every_databricks_host(), typed), "host_denied") << typed;
        }
    }
}

TEST(Hosts, what_people_paste_is_understood) {
    auto const list = list_of({listed});
    for (auto const& typed :
         {listed, "https://" + listed, "https://" + listed + "/", "HTTPS://" + listed,
          "  " + listed + "\r\n", "https://" + listed + ":443", listed + "/browse/folders/1?x=2#y",
          std::string("https://DBC-A1B2C3D4-E5F6.Cloud.Databricks.COM"), listed + "?o=1",
          listed + "#setting", "https://" + listed + "/?next=https://evil.test"}) {
        EXPECT_EQ(verdict(list, typed), "https://" + listed) << typed;
    }
    for (auto const* const nothing : {"", " ", "\r\n\t"}) {
        EXPECT_EQ(verdict(list, nothing), "host_required");
    }
}

TEST(Hosts, the_workspace_id_is_lifted_out_of_the_address) {
    auto const id = [](std::string const& query) {
        auto const host = list_of({listed}).admit("https://" + listed + query);
        return host ? host->workspace_id() : "denied";
    };
    EXPECT_EQ(id("/?o=1234567890123456"), "1234567890123456");
    EXPECT_EQ(id("?w=7"), "7");
    EXPECT_EQ(id("/x?a=b&workspace_id=8&c"), "8");
    EXPECT_EQ(id("?o=1&w=2"), "1");
    EXPECT_EQ(id("?o=1#o=2"), "1");
    EXPECT_EQ(id("?o="), "");
    EXPECT_EQ(id("?o=12x"), "");
    EXPECT_EQ(id("?o=-1"), "");
    EXPECT_EQ(id("?o=123456789012345678901"), "");
    EXPECT_EQ(id("?oo=1"), "");
    EXPECT_EQ(id("#?o=1"), "");
}

TEST(Hosts, a_left_over_placeholder_is_named) {
    for (auto const* const typed :
         {"<your-databricks-instance>", "https://<your-databricks-instance>",
          "your-databricks-instance.cloud.databricks.com"}) {
        auto const host = every_databricks_host().admit(typed);
        ASSERT_FALSE(host);
        EXPECT_EQ(host.error().code(), ErrorCode::host_denied);
        EXPECT_NE(host.error().message().find("<your-databricks-instance>"), std::string::npos);
    }
}

TEST(Hosts, T12_the_templates_of_each_cloud) {
    struct Row {
        std::string_view host;
        HostKind kind;
    };
    for (auto const& [host, kind] :
         std::vector<Row>{{"dbc-a1b2c3d4-e5f6.cloud.databricks.com", HostKind::aws},
                          {"acme-prod.cloud.databricks.com", HostKind::aws},
                          {"x.cloud.databricks.us", HostKind::aws},
                          {"x.cloud.databricks.mil", HostKind::aws},
                          {"adb-1234567890123456.7.azuredatabricks.net", HostKind::azure},
                          {"adb-12345678901234567890.123.azuredatabricks.net", HostKind::azure},
                          {"adb-1.2.databricks.azure.us", HostKind::azure},
                          {"adb-1.2.databricks.azure.cn", HostKind::azure},
                          {"1234567890123456.7.gcp.databricks.com", HostKind::gcp},
                          {"acme.databricks.com", HostKind::unified},
                          {"accounts.cloud.databricks.com", HostKind::account},
                          {"accounts-dod.cloud.databricks.mil", HostKind::account},
                          {"accounts.azuredatabricks.net", HostKind::account},
                          {"accounts.gcp.databricks.com", HostKind::account}}) {
        EXPECT_EQ(databricks_host_kind(host), kind) << host;
        auto const admitted = every_databricks_host().admit(host);
        ASSERT_TRUE(admitted) << host;
        EXPECT_EQ(admitted->kind(), kind) << host;
        EXPECT_EQ(admitted->origin(), "https://" + std::string(host));
        EXPECT_EQ(admitted->host(), host);
        EXPECT_FALSE(admitted->plain_http());
        EXPECT_TRUE(is_databricks_suffix(host)) << host;
    }
    EXPECT_TRUE(databricks_host_kind(std::string(63, 'a') + ".cloud.databricks.com"));
    EXPECT_FALSE(databricks_host_kind(std::string(64, 'a') + ".cloud.databricks.com"));
}

TEST(Hosts, T12_an_empty_list_admits_nobody_and_another_workspace_is_not_ours) {
    EXPECT_TRUE(HostAllowList().empty());
    EXPECT_EQ(verdict(HostAllowList(), listed), "host_denied");
    auto const list = list_of({listed});
    EXPECT_FALSE(list.empty());
    EXPECT_EQ(verdict(list, "dbc-other.cloud.databricks.com"), "host_denied");
    EXPECT_EQ(verdict(list, "x." + listed), "host_denied");
    EXPECT_EQ(verdict(list, "x" + listed), "host_denied");
    // A name that some account could have: never AWS by its look, and not admitted by being alike.
    EXPECT_EQ(databricks_host_kind("xcloud.databricks.com"), HostKind::unified);
    EXPECT_EQ(verdict(list, "xcloud.databricks.com"), "host_denied");
}

TEST(Hosts, a_suffix_admits_what_is_below_it_by_https_without_a_port) {
    auto const list = list_of({".corp.example"});
    EXPECT_EQ(verdict(list, "bricks.corp.example"), "https://bricks.corp.example");
    EXPECT_EQ(verdict(list, "a.b.Corp.Example"), "https://a.b.corp.example");
    EXPECT_EQ(list.admit("bricks.corp.example")->kind(), HostKind::operator_listed);
    for (auto const* const typed :
         {"corp.example", ".corp.example", "xcorp.example", "http://a.corp.example",
          "a.corp.example:8443", "a.corp.example.evil.test", "a.corp.example."}) {
        EXPECT_EQ(verdict(list, typed), "host_denied") << typed;
    }
}

TEST(Hosts, what_the_operator_lists_is_admitted_exactly_as_listed) {
    auto const list = list_of({"http://127.0.0.1:3001", "http://localhost:3001",
                               "http://[::1]:3001", "https://bricks.corp.example:8443"});
    EXPECT_EQ(verdict(list, "http://127.0.0.1:3001/"), "http://127.0.0.1:3001");
    EXPECT_EQ(verdict(list, "http://LOCALHOST:3001"), "http://localhost:3001");
    EXPECT_EQ(verdict(list, "http://[::1]:3001"), "http://[::1]:3001");
    EXPECT_EQ(verdict(list, "bricks.corp.example:8443"), "https://bricks.corp.example:8443");
    EXPECT_TRUE(list.admit("http://127.0.0.1:3001")->plain_http());
    for (auto const* const typed :
         {"127.0.0.1:3001", "https://127.0.0.1:3001", "http://127.0.0.1:3002", "http://127.0.0.1",
          "http://localhost:3000", "bricks.corp.example", "http://bricks.corp.example:8443",
          "http://127.0.0.1:3001@evil.test", "http://evil.test:3001"}) {
        EXPECT_EQ(verdict(list, typed), "host_denied") << typed;
    }
}

TEST(Hosts, T12_some_entries_cannot_be_listed_at_all) {
    for (auto const* const entry : {"",
                                    " ",
                                    ".",
                                    ".com",
                                    "..corp.example",
                                    ".corp..example",
                                    ".-a.example",
                                    "a b.example",
                                    "http://bricks.corp.example",
                                    "http://10.0.0.1",
                                    "ftp://bricks.corp.example",
                                    "app-1.aws.databricksapps.com",
                                    ".databricksapps.com",
                                    ".aws.databricksapps.com",
                                    "https://x.databricksapps.com:443",
                                    "HTTPS://X.DatabricksApps.com",
                                    "user@corp.example",
                                    "<your-databricks-instance>",
                                    "bricks.corp.example:99999",
                                    "*.corp.example",
                                    "bricks.corp.example."}) {
        HostAllowList list;
        auto const added = list.add(entry);
        ASSERT_FALSE(added) << entry;
        EXPECT_EQ(added.error().code(), ErrorCode::config_invalid) << entry;
        EXPECT_TRUE(list.empty()) << entry;
    }
}

TEST(Hosts, signing_keys_come_from_real_names_below_databricks_suffixes) {
    for (auto const* const host : {"norwayeast.azuredatabricks.net", "oregon.cloud.databricks.com",
                                   "region.cloud.databricks.us", "x.y.databricks.azure.cn"}) {
        EXPECT_TRUE(is_databricks_suffix(host)) << host;
    }
    for (auto const* const host :
         {"", "databricks.com", ".databricks.com", "evildatabricks.com", "databricks.com.evil.test",
          "evil.test%2f.databricks.com", "evil.test/.databricks.com", "a@b.databricks.com",
          "x.databricksapps.com", "x.databricks.com.", "X.databricks.com"}) {
        EXPECT_FALSE(is_databricks_suffix(host)) << host;
    }
}

}  // namespace
}  // namespace brickgate::testing

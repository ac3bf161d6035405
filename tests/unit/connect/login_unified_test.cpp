// SPDX-License-Identifier: Apache-2.0
// Sign-ins at a unified host, which serves many workspaces: which of them is meant must not get
// lost (facts 1.3).
#include "unit/connect/world.h"

namespace brickgate::testing {
namespace {

std::string const unified = "https://acme.databricks.com";

class Unified : public ::testing::Test, public World {
 protected:
    Unified() {
        EXPECT_TRUE(registration.hosts.add(unified));
        registration.scopes = {"all-apis", "offline_access"};  // so that SCIM says who it is
    }
    // Signs in by what a person pasted; SCIM answers.
    Connection signed_in(std::string const& typed) {
        if (http.calls().empty()) {
            http.expect("GET", unified + "/.well-known/databricks-config", 404, "");
            expect_discovery(unified);
        }
        Jar jar;
        LoginWish wish;
        wish.workspace = typed;
        auto const attempt = visit_auth(jar, wish);
        auto answer = tokens("");
        answer["scope"] = "all-apis offline_access";
        expect_tokens(answer, unified);
        http.expect("GET", me_of(unified), 200, R"({"id":"42","userName":"ann@example.com"})");
        auto const outcome = callback(jar, attempt.answer());
        EXPECT_TRUE(outcome) << outcome.error().error.message();
        return outcome ? outcome->connection : Connection{};
    }
    std::string sent(std::string const& name) const {
        return std::string(http.calls().back().headers.get(name).value_or("(none)"));
    }
};

TEST_F(Unified, the_workspace_that_was_pasted_is_kept_and_named_in_calls) {
    for (auto const* const typed : {"https://acme.databricks.com/?o=1234567890123456",
                                    "acme.databricks.com/sql?w=1234567890123456"}) {
        auto const row = signed_in(typed);
        EXPECT_EQ(row.workspace, unified);
        EXPECT_EQ(row.workspace_id, "1234567890123456");
        EXPECT_EQ(sent("X-Databricks-Org-Id"), "1234567890123456");
        EXPECT_EQ(sent("X-Databricks-Workspace-Id"), "1234567890123456");
    }
    EXPECT_EQ(connections(), 1U) << "the same, however it was pasted";
}

TEST_F(Unified, two_workspaces_of_one_host_are_two_connections) {
    auto const first = signed_in("https://acme.databricks.com/?o=111");
    auto const second = signed_in("https://acme.databricks.com/?o=222");
    auto const none = signed_in("https://acme.databricks.com/");
    EXPECT_EQ(sent("X-Databricks-Org-Id"), "(none)");
    EXPECT_NE(first.id, second.id);
    EXPECT_NE(first.id, none.id);
    EXPECT_EQ(connections(), 3U);
    EXPECT_EQ(signed_in("https://acme.databricks.com/?o=111").id, first.id);
}

TEST_F(Unified, the_number_of_a_fixed_workspace_is_kept_too) {
    registration.fixed_workspace = *registration.hosts.admit("https://acme.databricks.com/?o=333");
    EXPECT_EQ(signed_in("").workspace_id, "333");
    EXPECT_EQ(signed_in("acme.databricks.com").workspace_id, "") << "somebody named another";
}

TEST_F(Unified, a_workspaces_own_host_needs_no_number) {
    expect_discovery();
    for (auto const* const typed : {"https://dbc-a.cloud.databricks.com/?o=111",
                                    "https://dbc-a.cloud.databricks.com/?o=222"}) {
        Jar jar;
        LoginWish wish;
        wish.workspace = typed;
        (void)visit_auth(jar, wish);
    }
    for (auto const& [hash, row] : store.rows().logins) {
        EXPECT_EQ(row.workspace_id, "");
    }
}

}  // namespace
}  // namespace brickgate::testing

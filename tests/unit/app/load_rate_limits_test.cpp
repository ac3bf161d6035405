// SPDX-License-Identifier: Apache-2.0
#include "app/load_rate_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "server/assets.h"
#include "support/temp_folder.h"

namespace brickgate {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view shipped = R"(
[[family]]
name = "submit"
methods = ["POST"]
paths = ["/api/*/jobs/runs/submit"]
per_second = 35

[[family]]
name = "api"
paths = ["/api/**"]
per_minute = 240
)";

Result<RouteFamilies> with(std::string_view own) {
    return parse_rate_limits({.text = shipped, .name = "built-in"},
                             {.text = own, .name = "limits.toml"});
}

TEST(LoadRateLimits, the_shipped_table_holds_what_databricks_publishes) {
    auto const loaded = load_rate_limits(find_asset("rate_limits.toml").value(), "");
    ASSERT_TRUE(loaded) << loaded.error().message();
    struct Case {
        char const* method;
        char const* path;
        char const* family;
        double per_second;
    };
    for (Case const& c : {
             Case{"POST", "/api/2.1/jobs/runs/submit", "jobs_runs_submit", 35},
             Case{"POST", "/api/2.2/jobs/run-now", "jobs_run_now", 20},
             Case{"GET", "/api/2.1/jobs/runs/get?run_id=1", "jobs_runs_get", 100},
             Case{"GET", "/api/2.1/jobs/list", "jobs_list", 20},
             Case{"POST", "/api/2.1/jobs/delete", "jobs_delete", 10},
             Case{"POST", "/api/2.1/jobs/runs/cancel", "jobs_other", 0},
             Case{"GET", "/api/2.0/preview/scim/v2/Me", "scim_get", 4.25},
             Case{"GET", "/api/2.0/accounts/a/scim/v2/Users", "account_scim_list", 4},
             Case{"GET", "/api/2.0/accounts/a/scim/v2/Users/7", "account_scim_get", 20},
             Case{"PATCH", "/api/2.0/accounts/a/scim/v2/Users/7", "account_scim_patch", 2},
             Case{"DELETE", "/api/2.0/accounts/a/scim/v2/Users/7", "account_scim_write", 5},
             Case{"GET", "/api/2.0/permissions/jobs/1", "permissions_get", 100},
             Case{"PUT", "/api/2.0/permissions/jobs/1", "permissions_set", 30},
             Case{"GET", "/api/2.0/workspace/export", "workspace_export", 60},
             Case{"POST", "/api/2.0/workspace/import", "workspace_import", 30},
             Case{"POST", "/api/2.0/workspace/delete", "workspace_delete", 2},
             Case{"POST", "/api/2.0/dbfs/put", "dbfs", 30},
             Case{"POST", "/api/2.0/mlflow/runs/search", "mlflow_search", 7},
             Case{"POST", "/api/2.0/mlflow/runs/log-metric", "mlflow", 120},
             Case{"GET", "/api/2.0/secrets/list", "secrets", 1100.0 / 60},
             Case{"GET", "/api/2.0/token-management/tokens", "token_management", 40},
             Case{"POST", "/api/2.0/genie/spaces/s/start-conversation", "genie_ask", 5.0 / 60},
             Case{"GET", "/api/2.0/genie/spaces/s/conversations/c/messages/m", "other", 0},
             Case{"POST", "/api/2.0/mcp/functions/a/b", "mcp", 50},
             Case{"POST", "/sql/1.0/warehouses/w", "sql_thrift", 0},
             Case{"POST", "/api/2.0/sql/statements", "sql_api", 0},
             Case{"POST", "/serving-endpoints/e/invocations", "serving", 0},
             Case{"GET", "/.well-known/databricks-config", "other", 0},
         }) {
        RouteFamily const& family = loaded->family_of(c.method, c.path);
        EXPECT_EQ(family.name, c.family) << c.path;
        EXPECT_DOUBLE_EQ(family.per_second, c.per_second) << c.path;
    }
    EXPECT_FALSE(loaded->family_of("POST", "/sql/1.0/warehouses/w").adapts);
    EXPECT_EQ(loaded->family_of("POST", "/api/2.1/jobs/runs/submit").burst, 17.5);
}

TEST(LoadRateLimits, a_shipped_name_takes_the_shipped_place_and_keeps_what_it_does_not_say) {
    auto const loaded = with("[[family]]\nname = \"submit\"\nper_second = 70\nburst = 3\n");
    ASSERT_TRUE(loaded) << loaded.error().message();
    RouteFamily const& family = loaded->family_of("POST", "/api/2.1/jobs/runs/submit");
    EXPECT_EQ(family.name, "submit");
    EXPECT_EQ(family.per_second, 70);
    EXPECT_EQ(family.burst, 3);
    EXPECT_EQ(loaded->all().size(), 3);
}

TEST(LoadRateLimits, a_new_family_comes_first_and_other_may_be_limited) {
    auto const loaded = with(R"(
[[family]]
name = "clusters"
paths = ["/api/*/clusters/**"]
adapts = false
[[family]]
name = "other"
per_minute = 600
)");
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(loaded->family_of("GET", "/api/2.0/clusters/list").name, "clusters");
    EXPECT_EQ(loaded->family_of("GET", "/api/2.0/x").name, "api");
    EXPECT_EQ(loaded->family_of("GET", "/x").per_second, 10);
    EXPECT_EQ(loaded->family_of("GET", "/x").burst, 30);
}

struct BadTable {
    char const* text;
    char const* where;
    char const* what;
};

TEST(LoadRateLimits, a_fault_is_told_with_file_line_and_family) {
    std::string const head = "[[family]]\nname = \"mine\"\n";
    std::string const good = head + "paths = [\"/x\"]\n";
    for (auto const& [text, where, what] : {
             BadTable{"[[family]\n", "limits.toml, line 1: ", ""},
             BadTable{"other = 1\n", "limits.toml, line 1: ", "only [[family]]"},
             BadTable{"family = [1]\n", "limits.toml, line 1: ", "a family is a table"},
             BadTable{"[[family]]\npaths = [\"/x\"]\n", "limits.toml, line 1: ", "needs a name"},
             BadTable{"[[family]]\nname = \"Jobs\"\n", "limits.toml, line 2: ", "needs a name"},
         }) {
        auto const loaded = with(text);
        ASSERT_FALSE(loaded) << text;
        EXPECT_EQ(loaded.error().code(), ErrorCode::config_invalid);
        EXPECT_THAT(loaded.error().message(), StartsWith(where)) << text;
        EXPECT_THAT(loaded.error().message(), HasSubstr(what)) << text;
    }
    for (auto const& [line, where, what] : {
             BadTable{"", "limits.toml, line 1: family 'mine': ", "needs paths"},
             BadTable{"paths = []", "line 3: family 'mine': ", "1 to 64"},
             BadTable{"paths = [1]", "line 3: family 'mine': ", "1 to 64"},
             BadTable{"paths = [\"x\"]", "line 3: family 'mine': ", "begin with '/'"},
             BadTable{"paths = [\"/a/**/b\"]", "line 3: family 'mine': ", "whole segment"},
             BadTable{"paths = [\"/a*\"]", "line 3: family 'mine': ", "whole segment"},
             BadTable{"paths = [\"/a%20b\"]", "line 3: family 'mine': ", "'%'"},
             BadTable{"paths = [\"/a//b\"]", "line 3: family 'mine': ", "empty segment"},
             BadTable{"paths = [\"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17\"]",
                      "line 3: family 'mine': ", "16 segments"},
             BadTable{"methods = [\"get\"]", "line 3: family 'mine': ", "'get' is no method"},
             BadTable{"per_hour = 3", "line 3: family 'mine': ", "there is no 'per_hour'"},
             BadTable{"adapts = \"no\"", "line 3: family 'mine': ", "true or false"},
         }) {
        auto const loaded = with(head + line + "\n");
        ASSERT_FALSE(loaded) << line;
        EXPECT_THAT(loaded.error().message(), HasSubstr(where)) << line;
        EXPECT_THAT(loaded.error().message(), HasSubstr(what)) << line;
    }
    for (auto const& [line, where, what] : {
             BadTable{"per_second = 0", "line 4: family 'mine': ", "greater than 0"},
             BadTable{"per_second = -1", "line 4: family 'mine': ", "greater than 0"},
             BadTable{"per_second = \"9\"", "line 4: family 'mine': ", "must be a number"},
             BadTable{"per_second = nan", "line 4: family 'mine': ", "must be a number"},
             BadTable{"per_second = 1e7", "line 4: family 'mine': ", "a million"},
             BadTable{"burst = 0.5", "line 4: family 'mine': ", "at least 1"},
             BadTable{"per_second = 1\nper_minute = 1", "line 5: family 'mine': ", "one of them"},
             BadTable{"[[family]]\nname = \"mine\"", "line 5: family 'mine': ", "twice"},
             BadTable{"[[family]]\nname = \"other\"\npaths = [\"/y\"]",
                      "line 6: family 'other': ", "no paths"},
         }) {
        auto const loaded = with(good + line + "\n");
        ASSERT_FALSE(loaded) << line;
        EXPECT_THAT(loaded.error().message(), HasSubstr(where)) << line;
        EXPECT_THAT(loaded.error().message(), HasSubstr(what)) << line;
    }
}

TEST(LoadRateLimits, an_operators_file_is_read_or_named) {
    testing::TempFolder const folder;
    std::string const path = (folder / "mine.toml").string();
    auto const missing = load_rate_limits(shipped, path);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code(), ErrorCode::config_invalid);
    EXPECT_THAT(missing.error().message(), HasSubstr(path));
    EXPECT_FALSE(load_rate_limits(shipped, folder.path().string()));

    std::ofstream(path) << "[[family]]\nname = \"submit\"\nper_second = 1\n";
    auto const loaded = load_rate_limits(shipped, path);
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(loaded->family_of("POST", "/api/2.1/jobs/runs/submit").per_second, 1);

    std::ofstream(path) << std::string(300 * 1024, '#');
    EXPECT_THAT(load_rate_limits(shipped, path).error().message(), HasSubstr("256 KiB"));
}

}  // namespace
}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "proxy/route_families.h"

#include <gtest/gtest.h>

#include <string>

namespace brickgate {
namespace {

RouteFamilies sample() {
    return RouteFamilies({
        {.name = "runs_get", .methods = {"GET"}, .paths = {"/api/*/jobs/runs/get"}},
        {.name = "jobs", .methods = {"POST", "DELETE"}, .paths = {"/api/*/jobs/**"}},
        {.name = "search", .paths = {"/api/*/mlflow/*/search", "/mlflow"}},
    });
}

struct Case {
    char const* method;
    char const* path;
    char const* family;
};

TEST(RouteFamilies, sorts_by_method_and_whole_segments) {
    RouteFamilies const families = sample();
    for (Case const& c : {
             Case{"GET", "/api/2.1/jobs/runs/get", "runs_get"},
             Case{"HEAD", "/api/2.2/jobs/runs/get", "runs_get"},
             Case{"GET", "/api/2.1/jobs/runs/get?run_id=/api", "runs_get"},
             Case{"POST", "/api/2.1/jobs/runs/get", "jobs"},
             Case{"POST", "/api/2.1/jobs", "jobs"},
             Case{"DELETE", "/api/2.1/jobs/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r", "jobs"},
             Case{"POST", "/api/2.1/jobsx/run", "other"},
             Case{"PUT", "/api/2.1/jobs/run", "other"},
             Case{"GET", "/api/2.1/jobs/runs/get/more", "other"},
             Case{"GET", "/api/jobs/runs/get", "other"},
             Case{"PATCH", "/api/2.0/mlflow/runs/search", "search"},
             Case{"PATCH", "/mlflow", "search"},
             Case{"PATCH", "/api/2.0/mlflow/search", "other"},
             Case{"GET", "/", "other"},
             Case{"GET", "", "other"},
         }) {
        EXPECT_EQ(families.family_of(c.method, c.path).name, c.family) << c.method << " " << c.path;
    }
}

// A call cannot slip into another family by another spelling of its path.
TEST(RouteFamilies, T50_spelling_is_no_way_round) {
    RouteFamilies const families = sample();
    for (char const* path :
         {"/api/2.1/%6aobs/runs/get", "/api/2.1/jobs//runs/get", "/api/2.1/jobs/runs/get/",
          "/api/2.1/jobs/runs/%67%65%74", "//api/2.1/jobs/runs/get#x"}) {
        EXPECT_EQ(families.family_of("GET", path).name, "runs_get") << path;
    }
    EXPECT_EQ(families.family_of("GET", "/api/2.1/jobs/runs/g%65%7").name, "other");
}

TEST(RouteFamilies, the_first_that_fits_wins) {
    RouteFamilies const families({
        {.name = "all", .paths = {"/api/**"}},
        {.name = "one", .paths = {"/api/2.0/one"}},
    });
    EXPECT_EQ(families.family_of("GET", "/api/2.0/one").name, "all");
}

TEST(RouteFamilies, other_takes_what_is_left) {
    RouteFamilies const none;
    EXPECT_EQ(none.family_of("GET", "/x").name, "other");
    EXPECT_EQ(none.family_of("GET", "/x").per_second, 0);
    EXPECT_FALSE(none.family_of("GET", "/x").adapts);

    RouteFamilies const limited({{.name = "other", .per_second = 9},
                                 {.name = "api", .paths = {"/api/**"}, .per_second = 5}});
    ASSERT_EQ(limited.all().size(), 2);
    EXPECT_EQ(limited.family_of("GET", "/x").per_second, 9);
    EXPECT_EQ(limited.family_of("GET", "/api").name, "api");
    EXPECT_EQ(limited.all().back().name, "other");
    EXPECT_EQ(limited.index_of("GET", "/x"), 1);
}

}  // namespace
}  // namespace brickgate

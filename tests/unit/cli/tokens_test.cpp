// SPDX-License-Identifier: Apache-2.0
// The expiry that every SDK reads right (databricks-facts 5.3): zones of every kind, written as
// POSIX has them, so that no zone file is needed.
#include "cli/tokens.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace brickgate::cli {
namespace {

class Zone {
 public:
    explicit Zone(char const* name) {
        setenv("TZ", name, 1);
        tzset();
    }
    ~Zone() {
        unsetenv("TZ");
        tzset();
    }
    Zone(Zone const&) = delete;
    Zone& operator=(Zone const&) = delete;
};

TEST(LocalExpiry, knows_offsets_that_are_no_whole_hours_and_the_hour_that_comes_twice) {
    struct Row {
        char const* zone;
        char const* utc;
        char const* local;
    };
    for (Row const& row : std::initializer_list<Row>{
             {"<+0545>-5:45", "2026-08-22T12:05:06Z", "2026-08-22T17:50:06.000000+05:45"},
             {"<-0330>3:30", "2026-01-22T01:05:06Z", "2026-01-21T21:35:06.000000-03:30"},
             {"<-0030>0:30", "2026-01-22T00:05:06Z", "2026-01-21T23:35:06.000000-00:30"},
             {"<+14>-14", "2026-12-31T12:05:06Z", "2027-01-01T02:05:06.000000+14:00"},
             {"GMT0BST,M3.5.0/1,M10.5.0", "2026-01-22T12:05:06Z", "2026-01-22T12:05:06.000000Z"},
             {"GMT0BST,M3.5.0/1,M10.5.0", "2026-07-22T12:05:06Z",
              "2026-07-22T13:05:06.000000+01:00"},
             {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T00:30:00Z",
              "2026-10-25T02:30:00.000000+02:00"},
             {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:30:00Z",
              "2026-10-25T02:30:00.000000+01:00"},
             {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z",
              "2026-03-29T01:59:59.000000+01:00"},
             {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z",
              "2026-03-29T03:00:00.000000+02:00"},
         }) {
        Zone const zone(row.zone);
        EXPECT_EQ(local_expiry(row.utc), row.local) << row.zone;
    }
}

}  // namespace
}  // namespace brickgate::cli

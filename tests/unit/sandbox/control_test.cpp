// SPDX-License-Identifier: Apache-2.0
// Who may steer the practice Databricks, and read what it heard.
#include "unit/sandbox/world.h"

namespace brickgate::sandbox {
namespace {

using Control = World;

// Its log has codes and secrets, and a page on another name that resolves to this machine is, to
// its browser, no other site.
TEST_F(Control, T54_a_name_that_is_not_the_sandboxs_steers_and_reads_nothing) {
    for (std::string const name :
         {"rebind.evil.test:3001", "127.0.0.1.evil.test", "LOCALHOST.evil.test"}) {
        for (std::string const path : {"/_sandbox/log", "/_sandbox/families", "/"}) {
            EXPECT_EQ(send("GET", path, {.headers = {{"Host", name}}}).status, 421) << name;
        }
        EXPECT_EQ(send("POST", "/_sandbox/expire",
                       {.headers = {{"Host", name}, {"Sec-Fetch-Site", "same-origin"}}})
                      .status,
                  421);
    }
    for (std::string const name :
         {"localhost:3001", "LocalHost", "127.0.0.1:3001", "[::1]:3001", "192.0.2.7:80"}) {
        EXPECT_EQ(send("GET", "/_sandbox/log", {.headers = {{"Host", name}}}).status, 200) << name;
    }
}

}  // namespace
}  // namespace brickgate::sandbox

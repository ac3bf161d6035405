// SPDX-License-Identifier: Apache-2.0
// The refresh as conversations between callers, vault and token endpoint.
#include "tokens/refresher.h"

#include "unit/tokens/world.h"

namespace brickgate::testing {
namespace {

class Refreshing : public RefreshWorld {};

TEST_F(Refreshing, many_callers_make_one_refresh) {
    auto const row = connect("ada");
    clock.pass(59min + 30s);
    std::vector<std::string> seen;
    running();
    for (int i = 0; i < 1000; ++i) {
        timers.start(ask_later(row.id, seen));
    }
    timers.pass(5s);
    EXPECT_EQ(http.calls.size(), 1U);
    EXPECT_THAT(seen, ::testing::SizeIs(1000));
    EXPECT_THAT(seen, ::testing::Each("access-1"));
}

}  // namespace
}  // namespace brickgate::testing

// SPDX-License-Identifier: Apache-2.0
#include "server/streams.h"

#include <gtest/gtest.h>

namespace brickgate {
namespace {

TEST(Streams, take_what_one_of_them_takes_and_leave_the_rest) {
    Streams streams;
    int asked_second = 0;
    auto const never = [](Exchange&) -> Task<void> { co_return; };
    streams.add([](ServerRequest const& request) { return request.path == "/a"; }, never);
    streams.add(
        [&](ServerRequest const& request) {
            asked_second += 1;
            return request.method == "POST";
        },
        never);
    EXPECT_TRUE(streams.takes(ServerRequest::of("POST", "/a")));
    EXPECT_EQ(asked_second, 0) << "the first one has it";
    EXPECT_TRUE(streams.takes(ServerRequest::of("POST", "/b")));
    EXPECT_FALSE(streams.takes(ServerRequest::of("GET", "/b")));
    EXPECT_FALSE(Streams().takes(ServerRequest::of("GET", "/a")));
}

}  // namespace
}  // namespace brickgate

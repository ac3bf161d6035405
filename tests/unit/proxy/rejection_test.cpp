// SPDX-License-Identifier: Apache-2.0
// T46: when a refresh is worth it, and when it is what an attacker wants.
#include "proxy/rejection.h"

#include <gtest/gtest.h>

#include "support/data_file.h"

namespace brickgate::testing {
namespace {

TEST(Rejection, T46_only_words_about_the_token_mean_the_token) {
    for (auto const& row : read_table("proxy/token_rejections.json", 50)) {
        auto const& object = row.as_object();
        auto const status = static_cast<int>(integer_at(object, "status").value());
        auto const verdict =
            judge_token(status, text_at(object, "body"), text_at(object, "challenge"));
        EXPECT_EQ(verdict == TokenVerdict::rejected, bool_at(object, "rejected").value())
            << text_at(object, "name");
    }
}

TEST(Rejection, T46_no_other_status_ever_means_the_token) {
    for (int status = 0; status < 1000; ++status) {
        auto const verdict = judge_token(status, "ExpiredJwtException: Invalid access token.",
                                         "Bearer error=\"invalid_token\"");
        bool const may = status == 400 || status == 401 || status == 403;
        EXPECT_EQ(verdict == TokenVerdict::rejected, may) << status;
    }
}

}  // namespace
}  // namespace brickgate::testing

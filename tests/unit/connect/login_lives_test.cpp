// SPDX-License-Identifier: Apache-2.0
// What the operator knows of a grant's life is dated at the sign-in, so that its end has a reason.
#include "unit/connect/world.h"

namespace brickgate::testing {
namespace {

class Lives : public ::testing::Test, public World {
 protected:
    Connection signed_in_with(Seconds refresh_token_life, Seconds session_life) {
        auto known = std::make_shared<Registration>(copy(registration));
        known->refresh_token_life = refresh_token_life;
        known->session_life = session_life;
        registrations = {known};
        auto const outcome = sign_in();
        EXPECT_TRUE(outcome);
        return outcome ? outcome->connection : Connection{};
    }
};

TEST_F(Lives, D9_known_lives_are_dated_from_the_sign_in) {
    auto const row = signed_in_with(7 * 24h, 90 * 24h);
    EXPECT_EQ(row.refresh_expires_at, clock.now() + 7 * 24h);
    EXPECT_EQ(row.session_ends_at, clock.now() + 90 * 24h);
    auto const kept = store.rows().connections.at(row.id.value());
    EXPECT_EQ(kept.refresh_expires_at, row.refresh_expires_at);
    EXPECT_EQ(kept.session_ends_at, row.session_ends_at);
}

TEST_F(Lives, D9_unknown_lives_are_not_guessed) {
    auto const row = signed_in_with(0s, 0s);
    EXPECT_EQ(row.refresh_expires_at, std::nullopt);
    EXPECT_EQ(row.session_ends_at, std::nullopt);
}

}  // namespace
}  // namespace brickgate::testing

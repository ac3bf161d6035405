// SPDX-License-Identifier: Apache-2.0
#include "oauth/principal_credential.h"

#include <gtest/gtest.h>

namespace brickgate {
namespace {

Secret secret(std::string text) {
    return Secret::from(std::move(text));
}

std::string shown(Secret const& secret) {
    return secret.expose([](std::string_view text) { return std::string(text); });
}

PrincipalCredential credential() {
    return *PrincipalCredential::of("0a1b2c3d-0000-4000-8000-000000000000", secret("dose-old"));
}

TEST(PrincipalCredential, comes_back_from_the_vault_as_it_went_in) {
    auto made = credential();
    ASSERT_TRUE(made.add(secret("dose-new")));
    auto const back = PrincipalCredential::unpack(made.pack());
    ASSERT_TRUE(back);
    EXPECT_EQ(back->client_id(), made.client_id());
    ASSERT_EQ(back->secrets(), 2U);
    EXPECT_EQ(shown(back->authentication(0).client_secret), "dose-new");
    EXPECT_EQ(shown(back->authentication(1).client_secret), "dose-old");
    EXPECT_EQ(back->authentication(0).method, ClientAuthentication::Method::client_secret_basic);
}

TEST(PrincipalCredential, keeps_two_secrets_while_one_takes_the_others_place) {
    auto made = credential();
    ASSERT_TRUE(made.add(secret("dose-2")));
    ASSERT_TRUE(made.add(secret("dose-3")));
    ASSERT_EQ(made.secrets(), 2U);
    EXPECT_EQ(shown(made.authentication(1).client_secret), "dose-2");
    made.prefer(1);
    EXPECT_EQ(shown(made.authentication(0).client_secret), "dose-2");
    made.keep_only(1);
    ASSERT_EQ(made.secrets(), 1U);
    EXPECT_EQ(shown(made.authentication(0).client_secret), "dose-3");
}

TEST(PrincipalCredential, refuses_what_cannot_be_one) {
    EXPECT_FALSE(PrincipalCredential::of("", secret("dose")));
    EXPECT_FALSE(PrincipalCredential::of("an id", secret("dose")));
    EXPECT_FALSE(PrincipalCredential::of(std::string(129, 'a'), secret("dose")));
    EXPECT_FALSE(PrincipalCredential::of("id", secret("")));
    EXPECT_FALSE(PrincipalCredential::of("id", secret("two\nlines")));
    EXPECT_FALSE(PrincipalCredential::of("id", secret(std::string(1025, 'x'))));
    EXPECT_TRUE(PrincipalCredential::of("id", secret(std::string(1024, 'x'))));
}

TEST(PrincipalCredential, a_persons_refresh_token_is_not_taken_for_one) {
    for (char const* text : {"doau-a-refresh-token", "", "service-principal/1\n",
                             "service-principal/1\nid", "service-principal/1\nid\na\nb\nc"}) {
        auto const back = PrincipalCredential::unpack(RefreshToken(secret(text)));
        ASSERT_FALSE(back) << text;
        EXPECT_EQ(back.error().code(), ErrorCode::vault_error);
    }
}

}  // namespace
}  // namespace brickgate

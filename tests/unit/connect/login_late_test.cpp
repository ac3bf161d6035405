// SPDX-License-Identifier: Apache-2.0
// Who comes back late: how long an attempt is good, and what its browser is told afterwards.
#include "unit/connect/world.h"

namespace brickgate::testing {
namespace {

class Late : public ::testing::Test, public World {
 protected:
    // Everything up to the consent page.
    Attempt begun(Jar& jar) {
        expect_discovery();
        return visit_auth(jar);
    }
    void expect_no_call_after_discovery() {
        EXPECT_EQ(http.calls().size(), 1U) << "the last: " << http.calls().back().url;
    }
};

TEST_F(Late, an_attempt_of_more_than_ten_minutes_is_too_old_even_without_its_cookie) {
    Jar jar;
    auto const attempt = begun(jar);
    auto const other = visit_auth(jar);
    clock.pass(600s);
    expect_failed(callback(jar, attempt.answer()), ErrorCode::login_expired);
    // The cookie ends after ten minutes too; this is no other browser.
    expect_failed(callback({}, other.answer()), ErrorCode::login_expired);
    expect_no_call_after_discovery();
    expect_nothing_left();
}

TEST_F(Late, who_comes_late_hears_so_for_an_hour_while_the_house_is_kept) {
    Jar jar;
    auto const attempt = begun(jar);
    auto const other = visit_auth(jar);
    auto const minutes_later = [&](int minutes) {
        for (int i = 0; i < minutes; ++i) {
            clock.pass(1min);
            ASSERT_TRUE(run_task(login().sweep()));
        }
    };
    minutes_later(69);
    expect_failed(callback({}, attempt.answer()), ErrorCode::login_expired);
    minutes_later(2);
    expect_failed(callback({}, other.answer()), ErrorCode::state_unknown);
    expect_nothing_left();
}

TEST_F(Late, attempts_that_are_only_remembered_take_nobodys_place) {
    logins_max = 2;
    Jar jar;
    (void)begun(jar);
    (void)visit_auth(jar);
    LoginWish wish;
    wish.workspace = origin_a;
    EXPECT_EQ(begin(wish).error().code(), ErrorCode::too_many_logins);
    clock.pass(601s);
    ASSERT_TRUE(run_task(login().sweep()));
    (void)visit_auth(jar);
    EXPECT_EQ(store.rows().logins.size(), 1U);
}

TEST_F(Late, T09_the_tab_whose_cookie_had_to_go_hears_that_it_was_given_up) {
    Jar jar;
    auto const first = begun(jar);
    clock.pass(1500ms);
    auto const answered_with = [&](Attempt const& attempt, std::optional<Time> newest_other) {
        auto const lookup = [newest_other](std::string const&) -> Result<PresentedCookie> {
            return PresentedCookie{std::nullopt, newest_other};
        };
        return run_task(login().finish(attempt.answer(), lookup));
    };
    expect_failed(answered_with(first, clock.now()), ErrorCode::login_expired);
    // A browser that has begun nothing since is another one, and is warned (T02).
    auto const second = visit_auth(jar);
    expect_failed(answered_with(second, clock.now() - 2s), ErrorCode::state_cookie_missing);
    auto const third = visit_auth(jar);
    expect_failed(answered_with(third, std::nullopt), ErrorCode::state_cookie_missing);
    // A cookie that is there and wrong is never excused.
    auto const fourth = visit_auth(jar);
    auto const forged = [&](std::string const&) -> Result<PresentedCookie> {
        return PresentedCookie{"forged", clock.now()};
    };
    expect_failed(run_task(login().finish(fourth.answer(), forged)),
                  ErrorCode::state_cookie_missing);
    expect_no_call_after_discovery();
    expect_nothing_left();
}

TEST_F(Late, an_attempt_of_just_under_ten_minutes_is_good) {
    Jar jar;
    auto const attempt = begun(jar);
    clock.pass(600s - 1ms);
    expect_good_tokens(attempt);
    expect_keys();
    EXPECT_TRUE(callback(jar, attempt.answer()));
}

}  // namespace
}  // namespace brickgate::testing

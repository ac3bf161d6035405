// SPDX-License-Identifier: Apache-2.0
#include "vault/key_rotation.h"

#include "base/encoding.h"
#include "unit/vault/rotation_world.h"
#include "vault/root_key.h"
#include "vault/root_rotation.h"

namespace brickgate::testing {
namespace {

using KeyRotationTest = RotationWorld;

TEST_F(KeyRotationTest, new_keys_seal_and_the_former_ones_open) {
    auto const before = connect("access 1", "refresh 1");
    auto const former = key("token", "active");
    ASSERT_TRUE(run_task(rotation_.rotate()));
    auto const fresh = key("token", "active");
    EXPECT_NE(fresh.id, former.id);
    EXPECT_EQ(key("token", "decrypt_only").id, former.id);
    EXPECT_NE(key("login", "decrypt_only").id, 0U);
    EXPECT_NE(key("spool", "decrypt_only").id, 0U);
    EXPECT_EQ(key("api_mac", "decrypt_only").id, 0U) << "API keys that were handed out stay good";
    auto const after = connect("access 2", "refresh 2", "another");
    EXPECT_EQ(key_id_of_record(row_of(after.id).sealed_access), fresh.id);
    EXPECT_EQ(plain(vault_.open_refresh(row_of(before.id))), "refresh 1");
    auto const ring = open_keyring(store_, random_);
    EXPECT_EQ(ring->active("token")->id, fresh.id) << "after a restart too";
}

TEST_F(KeyRotationTest, T76_every_record_is_sealed_anew_and_opens) {
    std::vector<ConnectionId> ids;
    for (int i = 0; i < 250; ++i) {
        auto const text = std::to_string(i);
        ids.push_back(connect("access " + text, "refresh " + text, text).id);
    }
    LoginRow login;
    login.state_hash = sha256("state");
    ASSERT_TRUE(run_task(vault_.begin_login(login, {Secret::copy_of("verifier"), "nonce"}, 10)));
    auto const token = key("token", "active").id;
    auto const logins = key("login", "active").id;
    ASSERT_TRUE(run_task(rotation_.rotate()));
    EXPECT_EQ(records(token).all(), 500U);
    run_task(rotation_.reseal());
    EXPECT_EQ(records(token).all(), 0U);
    EXPECT_EQ(records(logins).all(), 0U);
    auto const progress = run_task(rotation_.state()).value().progress;
    EXPECT_FALSE(progress.running);
    EXPECT_EQ(progress.resealed, 251U);
    EXPECT_EQ(progress.unreadable, 0U);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        auto const row = row_of(ids[i]);
        ASSERT_EQ(plain(vault_.open_access(row)), "access " + std::to_string(i));
        ASSERT_EQ(plain(vault_.open_refresh(row)), "refresh " + std::to_string(i));
    }
    auto const taken = run_task(vault_.take_login(login.state_hash)).value();
    EXPECT_TRUE(taken->secrets.verifier.ct_equal("verifier"));
}

TEST_F(KeyRotationTest, a_refresh_that_comes_in_between_is_not_lost) {
    std::vector<Connection> rows;
    for (int i = 0; i < 150; ++i) {
        rows.push_back(connect("old access", "old refresh", std::to_string(i)));
    }
    ASSERT_TRUE(run_task(rotation_.rotate()));
    std::ranges::sort(rows, {}, [](auto const& row) { return row.id.value(); });
    auto const& last = rows.back();  // of the second batch
    timers_.in_pause = [&] {
        timers_.in_pause = {};
        auto claimed = claim(last).value();
        ASSERT_TRUE(claimed);
        auto const saved = run_task(vault_.save(
            claimed->row, "try1", fresh("new access", "new refresh"), &claimed->refresh_token, {}));
        ASSERT_TRUE(saved);
        EXPECT_EQ(saved->outcome, SaveOutcome::saved);
    };
    run_task(rotation_.reseal());
    EXPECT_EQ(plain(vault_.open_refresh(row_of(last.id))), "new refresh");
    EXPECT_EQ(plain(vault_.open_access(row_of(last.id))), "new access");
    EXPECT_EQ(records(key("token", "decrypt_only").id).all(), 0U);
}

TEST_F(KeyRotationTest, an_alternative_is_sealed_anew_in_its_own_place) {
    auto const row = connect("access", "refresh");
    auto const sealed = envelope_.seal("token", SealedKind::refresh_token, Secret::copy_of("aside"),
                                       identity_of(row, "alt_refresh", row.family));
    store_.rows().connections.at(row.id.value()).sealed_alt_refresh = *sealed;
    ASSERT_TRUE(run_task(rotation_.rotate()));
    run_task(rotation_.reseal());
    auto const now = row_of(row.id);
    EXPECT_EQ(key_id_of_record(now.sealed_alt_refresh), key("token", "active").id);
    auto const opened = envelope_.open(SealedKind::refresh_token, now.sealed_alt_refresh,
                                       identity_of(now, "alt_refresh", now.family));
    ASSERT_TRUE(opened);
    EXPECT_TRUE(opened->ct_equal("aside"));
}

TEST_F(KeyRotationTest, a_key_that_is_still_needed_is_not_retired) {
    auto const row = connect("access", "refresh");
    auto const token = key("token", "active").id;
    auto const refused = [&](std::uint32_t id) {
        auto const retired = run_task(rotation_.retire(id));
        return retired ? "retired" : std::string(retired.error().name());
    };
    EXPECT_EQ(refused(token), "key_in_use") << "it seals";
    EXPECT_EQ(refused(key("api_mac", "active").id), "key_in_use");
    EXPECT_EQ(refused(99), "not_found");
    ASSERT_TRUE(run_task(rotation_.rotate()));
    EXPECT_EQ(refused(token), "key_in_use") << "two records are sealed with it";
    EXPECT_EQ(refused(key("api_mac", "active").id), "key_in_use");
    EXPECT_EQ(plain(vault_.open_refresh(row_of(row.id))), "refresh");
    run_task(rotation_.reseal());
    EXPECT_EQ(refused(token), "retired");
    EXPECT_EQ(refused(token), "not_found");
    EXPECT_EQ(key("token", "destroyed").id, token);
    EXPECT_TRUE(key("token", "destroyed").wrapped.empty());
    EXPECT_EQ(plain(vault_.open_refresh(row_of(row.id))), "refresh");
    EXPECT_TRUE(open_keyring(store_, random_)) << "the ring's seal covers its end";
}

TEST_F(KeyRotationTest, the_spools_former_key_is_kept_until_the_spool_has_let_go) {
    auto const former = key("spool", "active").id;
    spool_an_answer("1");
    ASSERT_TRUE(run_task(rotation_.rotate()));
    spool_an_answer("2");
    auto const retired = run_task(rotation_.retire(former));
    ASSERT_FALSE(retired);
    EXPECT_EQ(retired.error().code(), ErrorCode::key_in_use);
    EXPECT_THAT(retired.error().message(), ::testing::HasSubstr("1 answers of the spool"));
    clock_.pass(std::chrono::minutes(15));
    EXPECT_TRUE(run_task(rotation_.retire(former)));
    spool_.reset();
    spool_ = open_spool_again();
    EXPECT_TRUE(spool_->take_unresolved().empty()) << "nothing is left that does not open";
}

TEST_F(KeyRotationTest, a_row_that_does_not_open_is_left_and_keeps_its_key) {
    auto const broken = connect("access 1", "refresh 1", "broken");
    auto const whole = connect("access 2", "refresh 2", "whole");
    auto& record = store_.rows().connections.at(broken.id.value()).sealed_access;
    record[40] ^= 1;
    auto const was = record;
    auto const token = key("token", "active").id;
    ASSERT_TRUE(run_task(rotation_.rotate()));
    run_task(rotation_.reseal());
    EXPECT_EQ(run_task(rotation_.state()).value().progress.unreadable, 1U);
    EXPECT_EQ(row_of(broken.id).sealed_access, was);
    EXPECT_EQ(plain(vault_.open_refresh(row_of(whole.id))), "refresh 2");
    EXPECT_FALSE(run_task(rotation_.retire(token)));
}

TEST_F(KeyRotationTest, a_database_that_fails_for_a_moment_only_delays) {
    auto const row = connect("access", "refresh");
    ASSERT_TRUE(run_task(rotation_.rotate()));
    store_.fail_commits(2);
    run_task(rotation_.reseal());
    EXPECT_EQ(records(key("token", "decrypt_only").id).all(), 0U);
    EXPECT_EQ(plain(vault_.open_refresh(row_of(row.id))), "refresh");
}

TEST_F(KeyRotationTest, a_rotation_that_is_not_written_changes_nothing) {
    auto const token = key("token", "active").id;
    store_.fail_commits(1);
    EXPECT_FALSE(run_task(rotation_.rotate()));
    EXPECT_EQ(key("token", "active").id, token);
    EXPECT_EQ(key("token", "pending").id, 0U);
    EXPECT_TRUE(run_task(rotation_.rotate()));
}

TEST_F(KeyRotationTest, R1_a_key_that_a_crash_left_pending_is_used_at_the_next_start) {
    auto rows = keyring_->with_new_keys(keyring_->rows(), clock_.now(), random_);
    ASSERT_TRUE(run_task(rotation_.commit(std::move(rows), "R1")));
    auto const pending = key("token", "pending").id;
    ASSERT_NE(pending, 0U);
    EXPECT_NE(key("token", "active").id, pending);
    ASSERT_TRUE(run_task(rotation_.resume()));
    EXPECT_EQ(key("token", "active").id, pending);
    EXPECT_TRUE(run_task(rotation_.resume())) << "there is nothing more to do";
    EXPECT_EQ(key("token", "active").id, pending);
}

class RootRotationTest : public RotationWorld {
 protected:
    RootRotationTest() {
        std::vector<Secret> keys;
        keys.push_back(Secret::copy_of(std::string(32, 'r')));
        EXPECT_TRUE(replace_root_key_file(file_, keys));
    }
    std::vector<Secret> in_file() { return load_root_key_file(file_, random_).value().keys; }
    Result<std::unique_ptr<Keyring>> restarted() {
        return Keyring::open(in_file(), store_, false, clock_.now(), random_);
    }
    std::filesystem::path file_ = folder_ / "root.key";
    RootRotation root_{RootRotation::Parts{*keyring_, rotation_, *spool_, random_, file_}};
};

TEST_F(RootRotationTest, a_new_root_takes_over_and_the_former_one_is_retired) {
    auto const row = connect("access", "refresh");
    auto const former = keyring_->root_id();
    ASSERT_TRUE(run_task(root_.rotate()));
    EXPECT_NE(keyring_->root_id(), former);
    EXPECT_EQ(keyring_->former_roots(), std::vector{former});
    EXPECT_EQ(in_file().size(), 2U);
    ASSERT_TRUE(restarted());
    auto const current = run_task(root_.retire(keyring_->root_id()));
    ASSERT_FALSE(current);
    EXPECT_EQ(current.error().code(), ErrorCode::key_in_use);
    EXPECT_FALSE(run_task(root_.retire("ffffffff")));
    ASSERT_TRUE(run_task(root_.retire(former)));
    EXPECT_EQ(in_file().size(), 1U);
    EXPECT_TRUE(keyring_->former_roots().empty());
    auto const after = restarted();
    ASSERT_TRUE(after) << after.error().message();
    EXPECT_EQ((*after)->root_id(), keyring_->root_id());
    EXPECT_EQ(plain(vault_.open_refresh(row_of(row.id))), "refresh");
    EXPECT_TRUE(run_task(rotation_.rotate())) << "data keys go on rotating under it";
}

TEST_F(RootRotationTest, R8_a_crash_between_the_file_and_the_ring_is_finished) {
    store_.fail_commits(1);
    EXPECT_FALSE(run_task(root_.rotate()));
    EXPECT_EQ(in_file().size(), 2U) << "the new key leads the file, the ring is under the old one";
    auto const at_start = restarted();
    ASSERT_TRUE(at_start) << at_start.error().message();
    EXPECT_EQ((*at_start)->root_id(), root_id_text(id_of_root(in_file().front())));
}

TEST_F(RootRotationTest, a_second_try_uses_the_key_of_the_first) {
    store_.fail_commits(1);
    EXPECT_FALSE(run_task(root_.rotate()));
    auto const wanted = root_id_text(id_of_root(in_file().front()));
    ASSERT_TRUE(run_task(root_.rotate()));
    EXPECT_EQ(keyring_->root_id(), wanted);
    EXPECT_EQ(in_file().size(), 2U);
}

TEST_F(RootRotationTest, a_key_from_elsewhere_is_changed_there) {
    RootRotation elsewhere(RootRotation::Parts{*keyring_, rotation_, *spool_, random_, {}});
    auto const refused = run_task(elsewhere.rotate());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::invalid_request);
    EXPECT_THAT(std::string(refused.error().hint()), ::testing::HasSubstr("restart"));
}

}  // namespace
}  // namespace brickgate::testing

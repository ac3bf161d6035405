// SPDX-License-Identifier: Apache-2.0
#include "vault/backup.h"

#include <sys/stat.h>

#include <fstream>

#include "support/temp_folder.h"
#include "unit/vault/vault_world.h"
#include "vault/root_key.h"
#include "vault/spool.h"
#include "vault/sqlite_store.h"

namespace brickgate::testing {
namespace {

class BackupTest : public ::testing::Test {
 protected:
    BackupTest() {
        std::filesystem::create_directory(data_);
        std::filesystem::permissions(data_, std::filesystem::perms::owner_all);
        store_ = open_sqlite_store(data_ / "brickgate.db").value();
        keyring_ = open_keyring(*store_, random_);
        spool_ = open_spool({data_ / "spool", "node_a", 512 * 1024}, *keyring_, random_).value();
        std::ofstream(data_ / "node") << "node_a\n";
        connect("1");
    }
    void connect(std::string const& name) {
        Envelope envelope(*keyring_, random_);
        InlineStoreRunner runner(*store_);
        Vault vault(runner, envelope, clock_, random_);
        Connection row;
        row.registration = RegistrationId("reg");
        row.subject = name;
        NewTokens fresh;
        fresh.tokens = tokens("access " + name, "refresh " + name, clock_.now() + Seconds(9));
        ASSERT_TRUE(run_task(vault.connect(row, std::move(fresh), {})));
    }
    void spool_an_answer() {
        auto room = spool_->reserve().value();
        ASSERT_TRUE(
            run_task(spool_->append(std::move(room), {SpoolKind::refresh, "con_1", 1, 1, "try"},
                                    clock_.now(), Secret::copy_of("answer"))));
    }
    Result<BackupAbout> back_up_now() { return back_up({data_, backup_, {}, clock_.now()}); }
    static std::string read(std::filesystem::path const& path) {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::string refused(Result<BackupAbout> const& done) {
        return done ? "done" : std::string(done.error().name());
    }

    TempFolder folder_;
    std::filesystem::path data_ = folder_ / "data";
    std::filesystem::path backup_ = folder_ / "backup";
    std::filesystem::path restored_ = folder_ / "restored";
    ManualClock clock_;
    SeededRandom random_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<Keyring> keyring_;
    std::unique_ptr<Spool> spool_;
};

TEST_F(BackupTest, what_is_open_and_written_to_is_copied_as_of_one_moment) {
    spool_an_answer();
    auto const made = back_up_now();
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_EQ(made->connections, 1U);
    EXPECT_EQ(made->spool_segments, 1U);
    EXPECT_EQ(made->root_keys, std::vector{keyring_->root_id()});
    connect("2");
    auto const about = restore(backup_, restored_);
    ASSERT_TRUE(about) << about.error().message();
    auto const store = open_sqlite_store(restored_ / "brickgate.db").value();
    auto const ring = open_keyring(*store, random_);
    auto const spool = open_spool({restored_ / "spool", "node_a", 512 * 1024}, *ring, random_);
    ASSERT_TRUE(spool);
    EXPECT_EQ((*spool)->take_unresolved().size(), 1U);
    EXPECT_EQ(read(restored_ / "node"), "node_a\n");
    ASSERT_TRUE(store->transact_one([](StoreTransaction& rows) -> Result<void> {
        EXPECT_EQ(rows.list_connections({}).value().size(), 1U) << "the second came later";
        EXPECT_FALSE(rows.get_meta(std::string(restored_mark)).value().value_or("").empty());
        return {};
    }));
}

TEST_F(BackupTest, T74_the_root_key_is_not_in_it_unless_it_is_asked_for) {
    auto const file = folder_ / "root.key";
    std::vector<Secret> keys;
    keys.push_back(Secret::copy_of(std::string(32, 'r')));
    ASSERT_TRUE(replace_root_key_file(file, keys));
    std::filesystem::copy_file(file, data_ / "root.key");
    ASSERT_TRUE(back_up_now());
    EXPECT_FALSE(std::filesystem::exists(backup_ / "root.key"));
    auto const with_key = back_up({data_, folder_ / "second", file, clock_.now()});
    ASSERT_TRUE(with_key);
    EXPECT_TRUE(with_key->has_root_key);
    ASSERT_TRUE(restore(folder_ / "second", restored_));
    struct stat about{};
    ASSERT_EQ(stat((restored_ / "root.key").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0400U);
    EXPECT_TRUE(load_root_key_file(restored_ / "root.key", random_));
}

TEST_F(BackupTest, everything_in_it_is_for_the_owner_alone) {
    mode_t const before = umask(0);
    ASSERT_TRUE(back_up_now());
    ASSERT_TRUE(restore(backup_, restored_));
    umask(before);
    for (auto const& top : {backup_, restored_}) {
        for (auto const& entry : std::filesystem::recursive_directory_iterator(top)) {
            struct stat about{};
            ASSERT_EQ(stat(entry.path().c_str(), &about), 0);
            EXPECT_EQ(about.st_mode & 0077, 0U) << entry.path();
        }
    }
}

TEST_F(BackupTest, a_backup_that_was_changed_or_is_not_whole_is_refused_and_nothing_is_made) {
    spool_an_answer();
    ASSERT_TRUE(back_up_now());
    auto const whole = read(backup_ / "brickgate.db");
    auto const put = [&](std::string const& name, std::string const& bytes) {
        std::ofstream(backup_ / name, std::ios::binary | std::ios::trunc) << bytes;
    };
    auto changed = whole;
    changed[5000] ^= 1;
    put("brickgate.db", changed);
    EXPECT_EQ(refused(restore(backup_, restored_)), "backup_invalid");
    put("brickgate.db", whole);
    std::filesystem::rename(backup_ / "node", folder_ / "node");
    EXPECT_EQ(refused(restore(backup_, restored_)), "backup_invalid");
    std::filesystem::rename(folder_ / "node", backup_ / "node");
    auto const manifest = read(backup_ / "backup.json");
    auto climbing = manifest;
    climbing.replace(climbing.find("\"node\""), 6, "\"../n\"");
    put("backup.json", climbing);
    EXPECT_EQ(refused(restore(backup_, restored_)), "backup_invalid");
    for (auto const* const other : {"", "{}", "[]", R"({"format":2,"files":{}})"}) {
        put("backup.json", other);
        EXPECT_EQ(refused(restore(backup_, restored_)), "backup_invalid") << other;
    }
    EXPECT_FALSE(std::filesystem::exists(restored_));
    put("backup.json", manifest);
    EXPECT_EQ(refused(restore(backup_, restored_)), "done");
}

TEST_F(BackupTest, folders_that_hold_something_are_left_alone) {
    std::filesystem::create_directory(backup_);
    std::ofstream(backup_ / "letter") << "dear";
    EXPECT_EQ(refused(back_up_now()), "data_folder_invalid");
    EXPECT_EQ(read(backup_ / "letter"), "dear");
    std::filesystem::remove(backup_ / "letter");
    ASSERT_TRUE(back_up_now()) << "an empty one is taken";
    EXPECT_EQ(refused(restore(backup_, data_)), "data_folder_invalid");
    EXPECT_EQ(refused(back_up({folder_ / "nowhere", folder_ / "b2", {}, clock_.now()})),
              "data_folder_invalid");
}

}  // namespace
}  // namespace brickgate::testing

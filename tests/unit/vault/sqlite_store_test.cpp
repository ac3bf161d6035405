// SPDX-License-Identifier: Apache-2.0
#include "vault/sqlite_store.h"

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "support/child.h"
#include "support/temp_folder.h"
#include "unit/vault/store_conformance.h"
#include "vault/schema.h"

namespace brickgate::testing {
namespace {

// A second hand on the same file, as an attacker or an operator has it.
std::vector<std::string> by_hand(std::filesystem::path const& path, std::string const& sql) {
    std::vector<std::string> rows;
    sqlite3* handle = nullptr;
    EXPECT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
    sqlite3_busy_timeout(handle, 5000);
    auto const see = [](void* out, int count, char** values, char**) {
        std::string row;
        for (int i = 0; i < count; ++i) {
            row += values[i] ? values[i] : "NULL";
            row += "|";
        }
        static_cast<std::vector<std::string>*>(out)->push_back(row);
        return 0;
    };
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), see, &rows, &message), SQLITE_OK)
        << sql << ": " << (message ? message : "");
    sqlite3_free(message);
    sqlite3_close(handle);
    return rows;
}

class SqliteBackend {
 public:
    SqliteBackend() { reopen(); }
    Store& store() { return *store_; }
    void reopen() {
        store_.reset();
        auto opened = open_sqlite_store(folder_ / "store.db");
        ASSERT_TRUE(opened) << opened.error().message() << opened.error().detail();
        store_ = std::move(*opened);
    }
    void put_lease(ConnectionId const& id, std::string const& node, Time until) {
        by_hand(folder_ / "store.db", "UPDATE connection SET lease_node = '" + node +
                                          "', lease_until = " + std::to_string(to_ms(until)) +
                                          " WHERE id = '" + id.value() + "'");
    }
    void put_intent(ConnectionId const& id, std::string const& node, std::uint64_t generation) {
        by_hand(folder_ / "store.db",
                "UPDATE connection SET intent_node = '" + node +
                    "', intent_boot = 'boot', intent_attempt = 'before', presented = 1, "
                    "intent_at = " +
                    std::to_string(to_ms(now - Seconds(90))) + ", intent_generation = " +
                    std::to_string(generation) + " WHERE id = '" + id.value() + "'");
    }

 private:
    TempFolder folder_;
    std::unique_ptr<Store> store_;
};

BRICKGATE_STORE_CONFORMANCE(SqliteBackend);

StoreJob insert_job(std::string const& name) {
    return [name](StoreTransaction& rows) { return rows.insert_connection(sample(name)); };
}

TEST(SqliteStore, T80_its_files_are_its_owners_alone) {
    TempFolder folder;
    mode_t const before = umask(0);
    auto const store = open_sqlite_store(folder / "store.db");
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->transact_one(insert_job("1")));
    for (auto const* name : {"store.db", "store.db-wal", "store.db-shm"}) {
        struct stat about{};
        ASSERT_EQ(stat((folder / name).c_str(), &about), 0) << name;
        EXPECT_EQ(about.st_mode & 0777, 0600U) << name;
    }
    umask(before);
}

TEST(SqliteStore, T80_a_planted_link_is_not_followed) {
    TempFolder folder;
    std::filesystem::create_symlink(folder / "elsewhere.db", folder / "store.db");
    auto const store = open_sqlite_store(folder / "store.db");
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code(), ErrorCode::store_unavailable);
    EXPECT_FALSE(std::filesystem::exists(folder / "elsewhere.db"));
}

TEST(SqliteStore, a_database_of_a_newer_program_is_left_alone) {
    TempFolder folder;
    ASSERT_TRUE(open_sqlite_store(folder / "store.db"));
    by_hand(folder / "store.db", "PRAGMA user_version = 999");
    auto const store = open_sqlite_store(folder / "store.db");
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code(), ErrorCode::data_folder_invalid);
}

TEST(SqliteStore, a_database_of_the_first_version_is_brought_up_to_date) {
    TempFolder folder;
    by_hand(folder / "store.db", std::string(migrations[0]) + "PRAGMA user_version = 1;");
    by_hand(folder / "store.db",
            "INSERT INTO api_key (id, tenant, name, rights, mac, created_at) "
            "VALUES ('k', 'default', 'kept', 'admin', x'00', 1)");
    auto const store = open_sqlite_store(folder / "store.db");
    ASSERT_TRUE(store);
    StoreJob const look = [](StoreTransaction& rows) -> Result<void> {
        auto const keys = rows.list_api_keys().value();
        EXPECT_EQ(keys.size(), 1U);
        EXPECT_EQ(keys.at(0).name, "kept");
        EXPECT_FALSE(keys.at(0).leaked_at);
        return rows.insert_capability({});
    };
    EXPECT_TRUE((*store)->transact_one(look));
    EXPECT_THAT(by_hand(folder / "store.db", "PRAGMA user_version"),
                ::testing::ElementsAre(std::to_string(migrations.size()) + "|"));
}

TEST(SqliteStore, the_journal_is_a_write_ahead_log) {
    TempFolder folder;
    ASSERT_TRUE(open_sqlite_store(folder / "store.db"));
    EXPECT_THAT(by_hand(folder / "store.db", "PRAGMA journal_mode"),
                ::testing::ElementsAre("wal|"));
}

TEST(SqliteStore, scans_and_look_ups_go_through_an_index) {
    TempFolder folder;
    ASSERT_TRUE(open_sqlite_store(folder / "store.db"));
    auto const plan = [&](std::string const& sql) {
        std::string all;
        for (auto const& row : by_hand(folder / "store.db", "EXPLAIN QUERY PLAN " + sql)) {
            all += row;
        }
        return all;
    };
    EXPECT_THAT(plan("SELECT * FROM connection WHERE refresh_due_at IS NOT NULL AND state IN "
                     "('active', 'uncertain', 'host_blocked') AND refresh_due_at <= 1 AND "
                     "(next_attempt_at IS NULL OR next_attempt_at <= 1) ORDER BY refresh_due_at"),
                ::testing::AllOf(::testing::HasSubstr("connection_due"),
                                 ::testing::Not(::testing::HasSubstr("TEMP B-TREE"))));
    EXPECT_THAT(plan("SELECT * FROM connection WHERE registration = '' AND workspace = '' AND "
                     "sub = '' AND subject = '' AND state <> 'disconnected'"),
                ::testing::HasSubstr("connection_of"));
    EXPECT_THAT(plan("SELECT * FROM connection WHERE intent_node = 'n' ORDER BY id"),
                ::testing::HasSubstr("connection_intent"));
    EXPECT_THAT(plan("SELECT * FROM event WHERE connection = 'c' ORDER BY seq DESC"),
                ::testing::HasSubstr("event_of"));
}

// --- killed at the commit ---

TEST(SqliteStoreChild, DISABLED_claims_then_saves) {
    char const* const path = std::getenv("BRICKGATE_TEST_PATH");
    if (!path) {
        GTEST_SKIP() << "is run by another test";
    }
    auto const store = open_sqlite_store(path);
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->transact_one(insert_job("1")));
    auto const row = sample("1");
    ASSERT_TRUE((*store)->transact_one([&](StoreTransaction& rows) -> Result<void> {
        auto const claimed = rows.claim(claim_of(row));
        return claimed && *claimed ? Result<void>{} : fail(ErrorCode::internal, "no claim");
    }));
    ASSERT_TRUE((*store)->transact_one([&](StoreTransaction& rows) -> Result<void> {
        auto const saved = rows.save_tokens(save_of(row));
        return saved ? Result<void>{} : fail(saved.error());
    }));
}

struct Kill {
    char const* failpoint;
    bool claimed;
    std::uint64_t generation;
};
class SqliteStoreKilled : public ::testing::TestWithParam<Kill> {};

TEST_P(SqliteStoreKilled, keeps_what_was_committed_and_nothing_else) {
    TempFolder folder;
    auto const path = folder / "store.db";
    int const status =
        run_child("SqliteStoreChild.DISABLED_claims_then_saves",
                  {{"BRICKGATE_TEST_PATH", path.string()},
                   {"__brickgate_failpoint", std::string(GetParam().failpoint) + ":kill"}});
    ASSERT_TRUE(was_killed(status)) << status;
    auto const store = open_sqlite_store(path);
    ASSERT_TRUE(store);
    std::optional<Connection> row;
    ASSERT_TRUE((*store)->transact_one([&](StoreTransaction& rows) -> Result<void> {
        row = rows.find_connection(sample("1").id).value();
        return {};
    }));
    ASSERT_TRUE(row);
    EXPECT_EQ(row->intent.has_value(), GetParam().claimed);
    EXPECT_EQ(row->generation, GetParam().generation);
}

INSTANTIATE_TEST_SUITE_P(Each, SqliteStoreKilled,
                         ::testing::Values(Kill{"K1", false, 7}, Kill{"K1b", true, 7},
                                           Kill{"K10", true, 7}, Kill{"K10b", false, 8}),
                         [](auto const& info) { return info.param.failpoint; });

TEST(SqliteStoreChild, an_unarmed_failpoint_does_nothing) {
    TempFolder folder;
    int const status = run_child("SqliteStoreChild.DISABLED_claims_then_saves",
                                 {{"BRICKGATE_TEST_PATH", (folder / "store.db").string()}});
    EXPECT_TRUE(went_well(status)) << status;
}

// --- a full disk ---

TEST(SqliteStoreChild, DISABLED_meets_a_full_disk) {
    char const* const path = std::getenv("BRICKGATE_TEST_PATH");
    if (!path) {
        GTEST_SKIP() << "is run by another test";
    }
    auto const store = open_sqlite_store(path);
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->transact_one(insert_job("1")));
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    auto const open_again = limit;
    limit.rlim_cur = std::filesystem::file_size(std::string(path) + "-wal");
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    std::vector<StoreJob> const jobs{insert_job("2"), insert_job("3")};
    for (auto const& result : (*store)->transact(jobs)) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code(), ErrorCode::store_unavailable);
    }
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &open_again), 0);
    for (auto const& result : (*store)->transact(jobs)) {
        EXPECT_TRUE(result) << "nothing of the failed commit may be left over";
    }
}

TEST(SqliteStore, a_full_disk_fails_the_batch_and_the_next_one_works) {
    TempFolder folder;
    int const status = run_child("SqliteStoreChild.DISABLED_meets_a_full_disk",
                                 {{"BRICKGATE_TEST_PATH", (folder / "store.db").string()}});
    EXPECT_TRUE(went_well(status)) << status;
}

}  // namespace
}  // namespace brickgate::testing

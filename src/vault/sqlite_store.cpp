// SPDX-License-Identifier: Apache-2.0
#include "vault/sqlite_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/failpoint.h"
#include "vault/schema.h"
#include "vault/sqlite.h"
#include "vault/sqlite_transaction.h"

namespace brickgate {

namespace {

class SqliteStore final : public Store {
 public:
    explicit SqliteStore(std::unique_ptr<sqlite::Database> database)
        : database_(std::move(database)) {}

    Result<void> set_up() {
        if (auto const set = database_->script(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;");
            !set) {
            return set;
        }
        std::int64_t synchronous = 0;
        std::string journal;
        auto const asked = database_->query("PRAGMA synchronous",
                                            [&](sqlite::Row& row) { synchronous = row.integer(); });
        auto const read = database_->query("PRAGMA journal_mode",
                                           [&](sqlite::Row& row) { journal = row.text(); });
        if (!asked || !read || synchronous != 2 || journal != "wal") {
            return fail(ErrorCode::store_unavailable,
                        "The database cannot be set to durable commits (WAL, FULL).");
        }
        return migrate();
    }

    std::vector<Result<void>> transact(std::span<StoreJob const> jobs) override {
        std::vector<Result<void>> results;
        results.reserve(jobs.size());
        auto begun = database_->script("BEGIN IMMEDIATE");
        if (!begun) {
            return std::vector<Result<void>>(jobs.size(), begun);
        }
        SqliteTransaction transaction(*database_);
        for (auto const& job : jobs) {
            results.push_back(run_alone(job, transaction));
            if (!database_->in_transaction()) {
                return std::vector<Result<void>>(jobs.size(), lost());
            }
        }
        pass(transaction, "K1", "K10");
        auto const committed = database_->script("COMMIT");
        if (!committed) {
            (void)database_->script("ROLLBACK");
            return std::vector<Result<void>>(jobs.size(), committed);
        }
        pass(transaction, "K1b", "K10b");
        if (transaction.traceless()) {
            // What was overwritten is still in the log; a reader in its way is a backup, and what
            // it leaves is taken by the next one.
            (void)database_->script("PRAGMA wal_checkpoint(TRUNCATE)");
        }
        return results;
    }

 private:
    static void pass(SqliteTransaction const& transaction, std::string_view claim,
                     std::string_view save) {
        if (transaction.claimed()) {
            failpoint(claim);
        }
        if (transaction.saved()) {
            failpoint(save);
        }
    }

    static Result<void> lost() {
        return fail(ErrorCode::store_unavailable, "The database gave up the transaction.");
    }

    // A savepoint each, so that one job's failure does not undo its neighbours.
    Result<void> run_alone(StoreJob const& job, SqliteTransaction& transaction) {
        if (auto const begun = database_->script("SAVEPOINT job"); !begun) {
            return begun;
        }
        auto const result = job(transaction);
        if (!database_->in_transaction()) {
            return lost();
        }
        auto const ended =
            database_->script(result ? "RELEASE job" : "ROLLBACK TO job; RELEASE job");
        return result ? ended : result;
    }

    Result<void> migrate() {
        std::int64_t version = 0;
        auto const read = database_->query("PRAGMA user_version",
                                           [&](sqlite::Row& row) { version = row.integer(); });
        if (!read) {
            return fail(read.error());
        }
        if (version > static_cast<std::int64_t>(migrations.size())) {
            return fail(ErrorCode::data_folder_invalid,
                        "The database was made by a newer version of this program.");
        }
        for (auto next = static_cast<std::size_t>(version); next < migrations.size(); ++next) {
            std::string const sql = "BEGIN IMMEDIATE;" + std::string(migrations[next]) +
                                    "PRAGMA user_version=" + std::to_string(next + 1) + ";COMMIT;";
            if (auto const done = database_->script(sql); !done) {
                (void)database_->script("ROLLBACK");
                return done;
            }
        }
        return {};
    }

    std::unique_ptr<sqlite::Database> database_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(std::filesystem::path const& path) {
    // Made here, because SQLite would make it readable to others; the files beside it take its
    // mode. Only a new one is opened: closing a second handle would drop SQLite's own locks.
    int const fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) {
        return fail(Error(ErrorCode::store_unavailable, "The database file cannot be made.")
                        .with_detail(std::strerror(errno)));
    }
    if (fd >= 0) {
        close(fd);
    }
    auto database = sqlite::Database::open(path.string());
    if (!database) {
        return fail(std::move(database.error()));
    }
    auto store = std::make_unique<SqliteStore>(std::move(*database));
    if (auto const ready = store->set_up(); !ready) {
        return fail(ready.error());
    }
    return store;
}

}  // namespace brickgate

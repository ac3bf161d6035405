// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include "vault/sqlite.h"

namespace brickgate::sqlite {

std::string Row::text() {
    int const column = column_++;
    auto const* const bytes = static_cast<char const*>(sqlite3_column_blob(statement_, column));
    return {bytes ? bytes : "", static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::optional<Time> Row::maybe_time() {
    if (is_null()) {
        ++column_;
        return std::nullopt;
    }
    return time();
}

std::optional<std::string> Row::maybe_text() {
    if (is_null()) {
        ++column_;
        return std::nullopt;
    }
    return text();
}

Result<std::unique_ptr<Database>> Database::open(std::string const& path) {
    std::unique_ptr<Database> database(new Database);
    int const flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    int const status = sqlite3_open_v2(path.c_str(), &database->handle_, flags, nullptr);
    if (status != SQLITE_OK) {
        return fail(database->error());
    }
    sqlite3_busy_timeout(database->handle_, 5000);
    sqlite3_db_config(database->handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(database->handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    return database;
}

Database::~Database() {
    for (auto const& [sql, statement] : statements_) {
        sqlite3_finalize(statement);
    }
    sqlite3_close(handle_);
}

Error Database::error() const {
    int const code = handle_ ? sqlite3_extended_errcode(handle_) : SQLITE_NOMEM;
    if ((code & 0xFF) == SQLITE_CONSTRAINT) {
        return Error(ErrorCode::store_conflict, "The database already has such a row.");
    }
    return Error(ErrorCode::store_unavailable, "The database does not answer.")
        .with_detail(handle_ ? sqlite3_errmsg(handle_) : "no memory");
}

Result<void> Database::script(std::string const& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        return fail(error());
    }
    return {};
}

Result<void> Database::copy_to(Database& target) {
    auto* const copy = sqlite3_backup_init(target.handle_, "main", handle_, "main");
    if (!copy) {
        return fail(target.error());
    }
    int const stepped = sqlite3_backup_step(copy, -1);
    sqlite3_backup_finish(copy);
    if (stepped != SQLITE_DONE) {
        return fail(Error(ErrorCode::store_unavailable, "The database could not be copied.")
                        .with_detail(sqlite3_errstr(stepped)));
    }
    return target.script("PRAGMA journal_mode=DELETE");
}

Result<sqlite3_stmt*> Database::prepare(std::string_view sql) {
    if (auto const found = statements_.find(sql); found != statements_.end()) {
        return found->second;
    }
    sqlite3_stmt* statement = nullptr;
    int const status = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                          SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (status != SQLITE_OK) {
        return fail(error());
    }
    statements_.emplace(sql, statement);
    return statement;
}

Result<std::size_t> Database::finish(sqlite3_stmt* statement,
                                     std::function<void(Row&)> const* see) {
    std::size_t rows = 0;
    int status = SQLITE_ROW;
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        rows += 1;
        if (see) {
            Row row(statement);
            (*see)(row);
        }
    }
    std::optional<Error> failed;
    if (status != SQLITE_DONE) {
        failed = error();
    }
    auto const changed = static_cast<std::size_t>(sqlite3_changes64(handle_));
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (failed) {
        return fail(std::move(*failed));
    }
    return see ? rows : changed;
}

}  // namespace brickgate::sqlite

// SPDX-License-Identifier: Apache-2.0
#include "vault/sqlite_copy.h"

#include "vault/sqlite_rows.h"

namespace brickgate::sqlite {

Result<void> copy_database(std::filesystem::path const& from, std::filesystem::path const& to) {
    auto const source = Database::open(from.string());
    auto const target = Database::open(to.string());
    if (!source || !target) {
        return fail(source ? target.error() : source.error());
    }
    return (*source)->copy_to(**target);
}

Result<DatabaseAbout> about_database(std::filesystem::path const& path) {
    auto database = Database::open(path.string());
    if (!database) {
        return fail(database.error());
    }
    DatabaseAbout about;
    std::string verdict;
    auto const checked =
        (*database)->query("PRAGMA quick_check", [&](Row& row) { verdict = row.text(); });
    auto const counted = (*database)->query("SELECT count(*) FROM connection",
                                            [&](Row& row) { about.connections = row.count(); });
    auto const rooted = (*database)->query("SELECT DISTINCT root_id FROM data_key", [&](Row& row) {
        about.root_keys.push_back(static_cast<std::uint32_t>(row.integer()));
    });
    if (!checked || !counted || !rooted || verdict != "ok") {
        return fail(ErrorCode::backup_invalid, "The database's copy is not whole.");
    }
    return about;
}

Result<void> set_meta(std::filesystem::path const& path, std::string const& name,
                      std::string const& value) {
    auto database = Database::open(path.string());
    if (!database) {
        return fail(database.error());
    }
    return ignore_count(
        (*database)->run("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", name, value));
}

}  // namespace brickgate::sqlite

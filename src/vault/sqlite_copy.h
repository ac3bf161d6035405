// SPDX-License-Identifier: Apache-2.0
#pragma once
// Copies of the database and what is said about one. Private to backup.cpp. Errors:
// store_unavailable, backup_invalid.
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace brickgate::sqlite {

// The database as of one moment, whoever writes to it meanwhile, in one file.
Result<void> copy_database(std::filesystem::path const& from, std::filesystem::path const& to);

struct DatabaseAbout {
    std::uint64_t connections = 0;
    std::vector<std::uint32_t> root_keys;
};
// Of a copy that nobody uses; also says whether it is whole.
Result<DatabaseAbout> about_database(std::filesystem::path const& path);
Result<void> set_meta(std::filesystem::path const& path, std::string const& name,
                      std::string const& value);

}  // namespace brickgate::sqlite

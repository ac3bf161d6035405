// SPDX-License-Identifier: Apache-2.0
#pragma once
// A data folder's copy, taken while a daemon runs: the database as of one moment, then the spool
// (an answer that the copied database has not is in it, because the spool keeps what is committed
// for a quarter of an hour), the node's name and what a passphrase is derived with. Never the root
// key, unless it is asked for. Everything is sealed as it is in the folder. A restored folder holds
// its connections back, for a token may have been spent since (D.4). The functions block. Errors:
// backup_invalid, data_folder_invalid, store_unavailable, root_key_invalid.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace brickgate {

// Stands in the table meta, with the time of the backup, until a daemon has held all connections
// back.
inline constexpr std::string_view restored_mark = "restored_from";

struct BackupWish {
    std::filesystem::path folder;    // the data folder
    std::filesystem::path target;    // made; must not be there, or be empty
    std::filesystem::path root_key;  // copied too; empty: it is not
    Time now{};
};
struct BackupAbout {
    Time made_at{};
    std::uint64_t connections = 0;
    std::uint64_t spool_segments = 0;
    std::vector<std::string> root_keys;  // ids that it needs
    bool has_root_key = false;
};
Result<BackupAbout> back_up(BackupWish const& wish);

// Checks every file against the backup's own list, and puts them into an absent or empty folder.
Result<BackupAbout> restore(std::filesystem::path const& backup,
                            std::filesystem::path const& folder);

}  // namespace brickgate

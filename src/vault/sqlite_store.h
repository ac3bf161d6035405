// SPDX-License-Identifier: Apache-2.0
#pragma once
// The product's store: SQLite in WAL mode with synchronous=FULL, because NORMAL may lose the last
// commits at a power cut, and with them a claim or a token. One object a file; one thread at a
// time.
#include <filesystem>
#include <memory>

#include "vault/store.h"

namespace brickgate {

// Creates the file (0600) and brings its tables up to date. Errors: store_unavailable;
// data_folder_invalid where the database was made by a newer program.
Result<std::unique_ptr<Store>> open_sqlite_store(std::filesystem::path const& path);

}  // namespace brickgate

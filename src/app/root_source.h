// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the root key comes from (security design C.2): a file, a systemd credential, a command, a
// passphrase or a value. Blocks; a command for ten seconds at most. Errors: root_key_invalid.
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "brickgate/config.h"

namespace brickgate {

struct RootKeys {
    std::vector<Secret> keys;
    std::filesystem::path file;  // empty: from elsewhere
    bool made = false;           // the file is new
};
// `folder`: the data folder, which has the default file and what a passphrase is derived with.
Result<RootKeys> load_root_keys(Config const& config, std::filesystem::path const& folder,
                                Random& random);

// What is wrong with the settings that say where: (setting, sentence).
std::vector<std::pair<std::string, std::string>> root_key_complaints(Config const& config);

// The root key's file, where that is where it comes from; else empty.
std::filesystem::path root_key_file_of(Config const& config, std::filesystem::path const& folder);

}  // namespace brickgate

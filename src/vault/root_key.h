// SPDX-License-Identifier: Apache-2.0
#pragma once
// Root keys as text and as a file: lines "rk1:<base64 of 32 bytes>". The first seals and opens; the
// others open what was sealed before them, so that the root can be changed (C.6). The functions
// block; any thread. Errors: root_key_invalid.
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"

namespace brickgate {

Result<std::vector<Secret>> parse_root_keys(std::string_view text);

// What a small private file holds: a regular file of ours with mode 0400 or 0600 and one link.
// nullopt: there is none. `what` names it in errors ("The root key file").
Result<std::optional<Secret>> read_private_file(std::filesystem::path const& path,
                                                std::string_view what);

struct RootKeyFile {
    std::vector<Secret> keys;
    bool made = false;  // it is new: tell the person to keep a copy
};
// Made (0400) if it is absent.
Result<RootKeyFile> load_root_key_file(std::filesystem::path const& path, Random& random);
// In one step: a crash leaves the file as it was or as it is to be.
Result<void> replace_root_key_file(std::filesystem::path const& path,
                                   std::vector<Secret> const& keys);

}  // namespace brickgate

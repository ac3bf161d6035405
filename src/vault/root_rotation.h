// SPDX-License-Identifier: Apache-2.0
#pragma once
// The root key's own rotation (security design C.6, R8 and R9): the new key first in the file, then
// the ring under it in one commit, and the former key out of the file when it is retired. A crash
// at any of them is mended by the next start, which finds both keys in the file. Owned by the
// composition root; control executor. Errors: key_in_use, not_found, invalid_request,
// root_key_invalid, and the store's.
#include <filesystem>
#include <string>

#include "vault/key_rotation.h"

namespace brickgate {

class RootRotation {
 public:
    struct Parts {
        Keyring& keyring;
        KeyRotation& keys;
        Spool& spool;
        Random& random;
        std::filesystem::path file;  // empty: the root key does not come from a file of ours
    };
    explicit RootRotation(Parts parts) : parts_(std::move(parts)) {}

    Task<Result<void>> rotate();
    // `id` as keys list shows it. Refused while it is the current one.
    Task<Result<void>> retire(std::string id);

 private:
    Parts parts_;
};

}  // namespace brickgate

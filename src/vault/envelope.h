// SPDX-License-Identifier: Apache-2.0
#pragma once
// Seals and opens what rests in the store, bound to the row it rests in (security design C.3). The
// identity is computed from the row each time and never stored beside the record. Any thread.
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "vault/connection.h"
#include "vault/keyring.h"
#include "vault/record.h"
#include "vault/store.h"

namespace brickgate {

struct RowIdentity {
    std::string table;
    std::string column;
    std::string tenant;
    std::string row;  // our id; a login's is "log_" and the first 16 bytes of the state's hash
    std::string registration;
    std::string issuer;
    std::string api_host;
    std::uint64_t generation = 0;
    // What else the row says for as long as it holds this record: where the token goes, whose it
    // is.
    std::vector<std::string> facts = {};
};
RowIdentity identity_of(Connection const& row, std::string column, std::uint64_t generation);
RowIdentity identity_of(LoginRow const& row);
AssociatedData associated_data(RowIdentity const& identity);

class Envelope {
 public:
    Envelope(Keyring const& keyring, Random& random) : keyring_(keyring), random_(random) {}

    // The purpose ("token", "login") chooses the data key. Inside a store job only: the key that is
    // active then is not retired before the job's commit. Errors: vault_unknown_key.
    Result<std::string> seal(std::string_view purpose, SealedKind kind, Secret const& plain,
                             RowIdentity const& identity);
    // The record names its key. One verdict, vault_error, whatever is wrong.
    Result<Secret> open(SealedKind kind, std::string_view record,
                        RowIdentity const& identity) const;
    std::string fingerprint(std::string_view token) const;  // keyed, 16 bytes as hex

 private:
    Keyring const& keyring_;
    Random& random_;
};

}  // namespace brickgate

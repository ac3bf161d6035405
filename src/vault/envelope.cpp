// SPDX-License-Identifier: Apache-2.0
#include "vault/envelope.h"

#include <sodium.h>

#include "base/encoding.h"
#include "base/log.h"

namespace brickgate {

namespace {

// Ids of ours carry 16 bytes as hex behind a prefix; any other name is brought to 16 bytes by a
// hash.
std::string sixteen_bytes(std::string_view id) {
    auto const underscore = id.find('_');
    if (underscore != std::string_view::npos) {
        auto bytes = hex_decode(id.substr(underscore + 1));
        if (bytes && bytes->size() == 16) {
            return std::move(*bytes);
        }
    }
    std::string out(16, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(out.data()), out.size(),
                       reinterpret_cast<unsigned char const*>(id.data()), id.size(), nullptr, 0);
    return out;
}

}  // namespace

RowIdentity identity_of(Connection const& row, std::string column, std::uint64_t generation) {
    std::vector<std::string> facts{row.token_endpoint, row.workspace_id, row.subject,
                                   row.principal.sub, row.principal.user_name};
    // A refresh token outlives the access token beside it.
    if (column == "cur_access") {
        facts.push_back(std::to_string(row.access_expires_at.time_since_epoch().count()));
    }
    return {"connection",
            std::move(column),
            row.tenant,
            row.id.value(),
            row.registration.value(),
            row.issuer.value(),
            row.workspace,
            generation,
            std::move(facts)};
}

RowIdentity identity_of(LoginRow const& row) {
    return {"login",
            "secrets",
            "default",
            "log_" + hex_encode(row.state_hash.substr(0, 16)),
            row.registration.value(),
            row.issuer.value(),
            row.workspace,
            0,
            {}};
}

AssociatedData associated_data(RowIdentity const& identity) {
    AssociatedData out("brickgate/v1");
    out.field(identity.table)
        .field(identity.column)
        .field(sixteen_bytes(identity.tenant))
        .field(sixteen_bytes(identity.row))
        .field(sixteen_bytes(identity.registration))
        .field(identity.issuer)
        .field(identity.api_host)
        .number(identity.generation);
    for (auto const& fact : identity.facts) {
        out.field(fact);
    }
    return out;
}

Result<std::string> Envelope::seal(std::string_view purpose, SealedKind kind, Secret const& plain,
                                   RowIdentity const& identity) {
    auto const key = keyring_.active(purpose);
    if (!key) {
        return fail(ErrorCode::vault_unknown_key,
                    "There is no active data key for " + std::string(purpose) + ".");
    }
    return seal_record(kind, plain, key->id, key->key, random_.bytes(record_nonce_bytes),
                       associated_data(identity));
}

Result<Secret> Envelope::open(SealedKind kind, std::string_view record,
                              RowIdentity const& identity) const {
    auto const id = key_id_of_record(record);
    if (!id) {
        return bad_record();
    }
    auto const key = keyring_.find(*id);
    if (!key) {
        // The caller hears the same as for any other bad record (T78); the operator hears why.
        log(LogLevel::warning, info_of(ErrorCode::vault_unknown_key).name,
            "A record names a data key that is not in the ring.", {{"key_id", *id}});
        return bad_record();
    }
    return open_record(kind, record, key->key, associated_data(identity));
}

std::string Envelope::fingerprint(std::string_view token) const {
    return hex_encode(keyed_hash(keyring_.index_key(), {"fingerprint", token}, 16));
}

}  // namespace brickgate

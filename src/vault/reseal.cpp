// SPDX-License-Identifier: Apache-2.0
#include "vault/reseal.h"

namespace brickgate {

namespace {

Result<std::string> anew(Envelope& envelope, std::string_view purpose, SealedKind kind,
                         std::string const& record, RowIdentity const& place) {
    if (record.empty()) {
        return record;
    }
    auto const plain = envelope.open(kind, record, place);
    if (!plain) {
        return fail(plain.error());
    }
    return envelope.seal(purpose, kind, *plain, place);
}

}  // namespace

Result<Connection> resealed(Envelope& envelope, Connection const& row) {
    auto access = anew(envelope, "token", SealedKind::access_token, row.sealed_access,
                       identity_of(row, "cur_access", row.generation));
    auto refresh = anew(envelope, "token", SealedKind::refresh_token, row.sealed_refresh,
                        identity_of(row, "cur_refresh", row.generation));
    auto alternative = anew(envelope, "token", SealedKind::refresh_token, row.sealed_alt_refresh,
                            identity_of(row, "alt_refresh", row.family));
    if (!access || !refresh || !alternative) {
        return bad_record();
    }
    Connection out = row;
    out.sealed_access = std::move(*access);
    out.sealed_refresh = std::move(*refresh);
    out.sealed_alt_refresh = std::move(*alternative);
    return out;
}

Result<std::string> resealed(Envelope& envelope, LoginRow const& row) {
    return anew(envelope, "login", SealedKind::pkce_verifier, row.sealed, identity_of(row));
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// A service principal's credential. It rests where a person's row has its refresh token, sealed and
// bound to its host like one, and is presented as client credentials (RFC 6749 section 4.4;
// databricks-facts 2.2: HTTP Basic). Presenting it again costs nothing, so none of the caution that
// single-use refresh tokens need applies. Two secrets at once, the newer first, while one takes the
// other's place. Pure.
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "oauth/client_auth.h"
#include "oauth/types.h"

namespace brickgate {

class PrincipalCredential {
 public:
    static constexpr std::size_t secrets_max = 2;
    static constexpr std::size_t secret_bytes_max = 1024;  // Databricks' have 36

    // Errors: invalid_request (an id or a secret that cannot be one).
    static Result<PrincipalCredential> of(std::string_view client_id, Secret secret);
    // vault_error: this is no packed credential.
    static Result<PrincipalCredential> unpack(RefreshToken const& packed);
    RefreshToken pack() const;

    ClientId const& client_id() const { return client_id_; }
    std::size_t secrets() const { return secrets_.size(); }
    // Becomes the first one; the older of two before goes. Errors: invalid_request.
    Result<void> add(Secret secret);
    // The newer one only, or the older one only.
    void keep_only(std::size_t index);
    // How the secret at `index` is presented.
    ClientAuthentication authentication(std::size_t index) const;
    // The one that worked is tried first from now on.
    void prefer(std::size_t index);

 private:
    ClientId client_id_;
    std::vector<Secret> secrets_;
};

}  // namespace brickgate

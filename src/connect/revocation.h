// SPDX-License-Identifier: Apache-2.0
#pragma once
// Telling a workspace that a grant is over, where its discovery document names an endpoint for that
// (RFC 7009); Databricks' own names none (facts 1.5). Lives on the control executor. Nothing
// depends on the outcome but what the caller is told: our own copy is erased before.
#include <memory>
#include <vector>

#include "connect/discovery.h"
#include "vault/vault.h"

namespace brickgate {

enum class Revoked : std::uint8_t { yes, not_supported, failed };
std::string_view to_string(Revoked revoked);  // revoked | not_supported | failed

class Revocation {
 public:
    struct Parts {
        std::vector<std::shared_ptr<Registration const>> const& registrations;
        Vault& vault;
        Discovery& discovery;
        HttpClient& http;
    };
    explicit Revocation(Parts parts) : parts_(parts) {}
    virtual ~Revocation() = default;

    // `row`: as it was before its tokens were erased.
    virtual Task<Revoked> revoke(Connection row);

 private:
    std::shared_ptr<Registration const> registration_of(Connection const& row) const;
    Result<HttpRequest> request_for(std::string endpoint, Registration const& registration,
                                    Connection const& row) const;
    Parts parts_;
};

}  // namespace brickgate

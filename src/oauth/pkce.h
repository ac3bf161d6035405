// SPDX-License-Identifier: Apache-2.0
#pragma once
// Proof key for code exchange, RFC 7636. S256 is the only method; `plain` has no code path. Pure.
#include <optional>
#include <string>

#include "base/random.h"
#include "base/secret.h"
#include "base/strong.h"

namespace brickgate {

using PkceChallenge = Strong<struct PkceChallengeTag>;

class PkceVerifier {
 public:
    static PkceVerifier generate(Random& random);  // 32 random bytes, 43 characters
    static std::optional<PkceVerifier> from(
        Secret text);  // section 4.1: 43 to 128 unreserved characters
    PkceChallenge challenge() const;
    Secret const& secret() const { return secret_; }

 private:
    explicit PkceVerifier(Secret secret) : secret_(std::move(secret)) {}
    Secret secret_;
};

}  // namespace brickgate

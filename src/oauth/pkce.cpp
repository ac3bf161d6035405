// SPDX-License-Identifier: Apache-2.0
#include "oauth/pkce.h"

#include <algorithm>

#include "base/encoding.h"

namespace brickgate {

PkceVerifier PkceVerifier::generate(Random& random) {
    return PkceVerifier(Secret::from(random.token(32)));
}

std::optional<PkceVerifier> PkceVerifier::from(Secret text) {
    bool const legal = text.expose([](std::string_view view) {
        return view.size() >= 43 && view.size() <= 128 && percent_encode(view) == view;
    });
    if (!legal) {
        return std::nullopt;
    }
    return PkceVerifier(std::move(text));
}

PkceChallenge PkceVerifier::challenge() const {
    return PkceChallenge(
        secret_.expose([](std::string_view text) { return base64url_encode(sha256(text)); }));
}

}  // namespace brickgate

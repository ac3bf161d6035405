// SPDX-License-Identifier: Apache-2.0
#pragma once
// How we prove to a token endpoint that we are the client: one method per registration, never two
// in one request, never in the URL (RFC 6749 section 2.3.1, T35). Move only because of the secret.
#include "base/encoding.h"
#include "base/http_message.h"
#include "oauth/types.h"

namespace brickgate {

struct ClientAuthentication {
    enum class Method : std::uint8_t { client_secret_basic, client_secret_post, none };
    Method method = Method::none;
    ClientId client_id;
    Secret client_secret;

    ClientAuthentication clone() const { return {method, client_id, client_secret.clone()}; }
    // A POST of these form fields (already encoded pairs joined by '&') to `url`, authenticated.
    HttpRequest post(std::string url, Secret form) const;
};

}  // namespace brickgate

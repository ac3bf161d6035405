// SPDX-License-Identifier: Apache-2.0
// must not compile: to 'ValidatedCode'
#include "oauth/token_endpoint.h"

brickgate::HttpRequest attempt(brickgate::ClientAuthentication const& client,
                               brickgate::AuthorizationCode code,
                               brickgate::RedirectUri const& redirect_uri,
                               brickgate::PkceVerifier const& verifier) {
    return brickgate::make_code_request("https://a.test/token", client, std::move(code),
                                        redirect_uri, verifier);
}

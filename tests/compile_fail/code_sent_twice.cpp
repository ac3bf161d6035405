// SPDX-License-Identifier: Apache-2.0
// must not compile: rvalue reference to type 'ValidatedCode' cannot bind to lvalue
// A request takes its code away: a named one must be moved, which says that it is gone.
#include "oauth/token_endpoint.h"

brickgate::HttpRequest attempt(brickgate::ClientAuthentication const& client,
                               brickgate::ValidatedCode& code,
                               brickgate::RedirectUri const& redirect_uri,
                               brickgate::PkceVerifier const& verifier) {
    return brickgate::make_code_request("https://a.test/token", client, code, redirect_uri,
                                        verifier);
}

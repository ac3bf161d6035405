// SPDX-License-Identifier: Apache-2.0
// must not compile: to 'const SecretValue<struct RefreshTokenTag>'
#include "oauth/token_endpoint.h"

brickgate::HttpRequest attempt(brickgate::ClientAuthentication const& client,
                               brickgate::AccessToken const& token) {
    return brickgate::make_refresh_request("https://a.test/token", client, token);
}

// SPDX-License-Identifier: Apache-2.0
#pragma once
// The back channel: requests to the token endpoint and the reading of its answers (RFC 6749
// sections 4.1.3, 4.4, 5, 6). Pure. Errors never quote a body; T34 names the limits.
#include <string>

#include "base/http_message.h"
#include "base/result.h"
#include "oauth/authorization.h"
#include "oauth/client_auth.h"
#include "oauth/oauth_error.h"
#include "oauth/pkce.h"
#include "oauth/types.h"

namespace brickgate {

HttpRequest make_code_request(std::string token_endpoint, ClientAuthentication const& client,
                              ValidatedCode&& code, RedirectUri const& redirect_uri,
                              PkceVerifier const& verifier);
// Sends no scope: the grant keeps the one it has (section 6, T20).
HttpRequest make_refresh_request(std::string token_endpoint, ClientAuthentication const& client,
                                 RefreshToken const& token);
HttpRequest make_client_credentials_request(std::string token_endpoint,
                                            ClientAuthentication const& client,
                                            Scopes const& scopes);
// RFC 7009 section 2.1.
HttpRequest make_revocation_request(std::string endpoint, ClientAuthentication const& client,
                                    RefreshToken const& token);
HttpRequest make_revocation_request(std::string endpoint, ClientAuthentication const& client,
                                    AccessToken const& token);
Result<TokenSet> parse_token_response(HttpResponse const& response, Time received_at);

}  // namespace brickgate

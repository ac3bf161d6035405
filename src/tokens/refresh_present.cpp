// SPDX-License-Identifier: Apache-2.0
// What is presented at the token endpoint: a person's refresh token, once; or a service principal's
// secrets, the next one where the first is refused, for asking again with those costs nothing.
#include "oauth/principal_credential.h"
#include "oauth/token_endpoint.h"
#include "tokens/refresh_drive.h"

namespace brickgate {

Task<HttpAnswer> RefreshDrive::present(std::string endpoint, HttpLimits limits) {
    if (!is_principals()) {
        auto request = make_refresh_request(endpoint, registration_->client, *presented_);
        co_return co_await parts_.http.send(std::move(request), std::move(limits));
    }
    auto credential = PrincipalCredential::unpack(*presented_);
    if (!credential) {
        co_return std::unexpected(TransportError{credential.error(), Sent::not_sent});
    }
    for (std::size_t i = 0;; ++i) {
        auto request =
            make_client_credentials_request(endpoint, credential->authentication(i), row_->scopes);
        auto answer = co_await parts_.http.send(std::move(request), limits);
        auto const read = answer ? parse_token_response(*answer, asked_at_)
                                 : Result<TokenSet>(fail(ErrorCode::upstream_unreachable, ""));
        bool const refused = answer && !read && read.error().code() == ErrorCode::invalid_client;
        if (refused && i + 1 < credential->secrets()) {
            continue;
        }
        if (read && i > 0) {
            credential->prefer(
                i);  // kept with the new token, so that it is tried first from now on
            presented_ = credential->pack();
        }
        co_return answer;
    }
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "connect/secret_probe.h"

#include "connect/outbound.h"
#include "oauth/token_endpoint.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds total_max = 10s;

}  // namespace

SecretVerdict read_secret_probe(HttpResponse const& response, Time now) {
    switch (token_endpoint_error(response, now).code()) {
        case ErrorCode::invalid_grant:
            return SecretVerdict::taken;
        case ErrorCode::invalid_client:
        case ErrorCode::unauthorized_client:
            return SecretVerdict::refused;
        default:
            return SecretVerdict::unclear;
    }
}

Task<SecretVerdict> probe_secret(HttpClient& http, Random& random, Clock& clock,
                                 std::shared_ptr<Registration const> registration,
                                 std::shared_ptr<ServerMetadata const> server) {
    Time const now = clock.now();
    CallbackParameters made_up;
    made_up.state = State(random.token(32));
    made_up.code = AuthorizationCode(Secret::from("made-up-" + random.token(32)));
    auto code = validate_callback(std::move(made_up), {server->issuer, false, now + 1h}, now);
    if (!code) {
        co_return SecretVerdict::unclear;
    }
    auto request = make_code_request(server->token_endpoint, registration->client, std::move(*code),
                                     registration->redirect_uri, PkceVerifier::generate(random));
    HttpLimits limits = limits_for(*registration, server->token_endpoint);
    limits.total = total_max;
    auto const answer = co_await http.send(std::move(request), std::move(limits));
    co_return answer && answer->status >= 400 && answer->status < 500
        ? read_secret_probe(*answer, now)
        : SecretVerdict::unclear;
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "connect/revocation.h"

#include "base/log.h"
#include "connect/outbound.h"
#include "oauth/token_endpoint.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds total_max = 10s;  // somebody waits for the answer
constexpr std::size_t answer_bytes_max = 64 * 1024;

bool says_unsupported(HttpResponse const& response) {
    return response.status == 404 || response.status == 405 || response.status == 501;
}

}  // namespace

std::string_view to_string(Revoked revoked) {
    switch (revoked) {
        case Revoked::yes:
            return "revoked";
        case Revoked::not_supported:
            return "not_supported";
        case Revoked::failed:
            break;
    }
    return "failed";
}

std::shared_ptr<Registration const> Revocation::registration_of(Connection const& row) const {
    for (auto const& registration : parts_.registrations) {
        if (registration->id == row.registration) {
            return registration;
        }
    }
    return nullptr;
}

// The refresh token, since the grant goes with it (RFC 7009 section 2.1); without one the access
// token.
Result<HttpRequest> Revocation::request_for(std::string endpoint, Registration const& registration,
                                            Connection const& row) const {
    if (!row.sealed_refresh.empty()) {
        auto const token = parts_.vault.open_refresh(row);
        if (!token) {
            return fail(token.error());
        }
        return make_revocation_request(std::move(endpoint), registration.client, *token);
    }
    auto const token = parts_.vault.open_access(row);
    if (!token) {
        return fail(token.error());
    }
    return make_revocation_request(std::move(endpoint), registration.client, *token);
}

Task<Revoked> Revocation::revoke(Connection row) {
    auto const registration = registration_of(row);
    auto const workspace = registration ? registration->hosts.admit(row.workspace)
                                        : fail(ErrorCode::host_denied, "No such registration.");
    if (!workspace) {
        co_return Revoked::not_supported;  // nothing is sent to a host that is not served any more
    }
    auto const server = co_await parts_.discovery.metadata(registration, *workspace);
    if (!server) {
        co_return Revoked::failed;
    }
    auto const& endpoint = (*server)->revocation_endpoint;
    // T11: a token goes to the server that gave it.
    if (!endpoint || (*server)->issuer != row.issuer) {
        co_return Revoked::not_supported;
    }
    auto request = request_for(*endpoint, *registration, row);
    if (!request) {
        log(LogLevel::warning, "revocation_failed", request.error().message(),
            {{"connection", row.id.value()}, {"code", request.error().name()}});
        co_return Revoked::failed;
    }
    HttpLimits limits = limits_for(*registration, *endpoint);
    limits.total = total_max;
    limits.body_bytes_max = answer_bytes_max;
    auto const answer = co_await parts_.http.send(std::move(*request), std::move(limits));
    if (answer && answer->status == 200) {
        co_return Revoked::yes;
    }
    log(LogLevel::warning, "revocation_failed", "The workspace did not confirm the revocation.",
        {{"connection", row.id.value()},
         {"detail",
          answer ? "status " + std::to_string(answer->status) : answer.error().error.message()}});
    co_return answer&& says_unsupported(*answer) ? Revoked::not_supported : Revoked::failed;
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
// How a Transfer ends: an answer, or a failure that says whether the request may have been sent.
#include <utility>

#include "net/curl_transfer.h"

namespace brickgate {

void Transfer::finish(CURLcode code) {
    if (code != CURLE_OK) {
        answer(std::unexpected(failure(code)));
        return;
    }
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    response_.status = static_cast<int>(status);
    response_.body = body_.take();
    answer(std::move(response_));
}

void Transfer::fail_unsent(Error error) {
    answer(std::unexpected(TransportError{std::move(error), Sent::not_sent}));
}

void Transfer::abort(Error error) {
    Sent const sent = may_be_sent_ ? Sent::maybe_sent : Sent::not_sent;
    answer(std::unexpected(TransportError{std::move(error), sent}));
}

void Transfer::answer(HttpAnswer result) {
    done_(std::move(result));
}

TransportError Transfer::failure(CURLcode code) const {
    auto const because = [&](ErrorCode why, std::string message) {
        Error error = Error(why, std::move(message)).with_detail(message_.data());
        return TransportError{std::move(error), may_be_sent_ ? Sent::maybe_sent : Sent::not_sent};
    };
    std::string const& host = target_.key;
    if (egress_refused_ && !may_be_sent_) {
        return because(ErrorCode::egress_denied,
                       host + " has an address that is not on the public internet.");
    }
    if (too_late_) {
        return because(ErrorCode::request_aborted, "The request was too old to be sent.");
    }
    if (too_large_) {
        return because(limits_.too_large, host + " answered with more than is read.");
    }
    if (malformed_) {
        return because(ErrorCode::upstream_malformed,
                       host + " answered in a form that was not asked for.");
    }
    switch (code) {
        case CURLE_OPERATION_TIMEDOUT:
            return because(ErrorCode::upstream_timeout, host + " did not answer in time.");
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
            return because(ErrorCode::upstream_unreachable,
                           "The name of " + host + " does not resolve.");
        case CURLE_COULDNT_CONNECT:
            return because(ErrorCode::upstream_unreachable, host + " does not accept connections.");
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_USE_SSL_FAILED:
            return because(ErrorCode::tls_failed, "No trustworthy TLS connection to " + host + ".");
        case CURLE_SSL_CACERT_BADFILE:
            return because(ErrorCode::tls_failed,
                           "The system's CA certificates cannot be read: install ca-certificates.");
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR:
        case CURLE_GOT_NOTHING:
            if (header_lines_ > 0) {
                return because(ErrorCode::upstream_malformed,
                               host + " broke off in the middle of its answer.");
            }
            return because(ErrorCode::upstream_unreachable, host + " closed the connection.");
        default:
            return because(ErrorCode::upstream_malformed, host + " answered with broken HTTP.");
    }
}

}  // namespace brickgate

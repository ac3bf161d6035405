// SPDX-License-Identifier: Apache-2.0
#pragma once
// Outbound HTTP of the control plane: discovery, keys, token endpoints. Never follows a redirect,
// never decodes, never retries; an answer of any status is an answer. A failure says whether the
// request may have reached the server, because a grant that was sent may be spent (D.5).
#include <cstddef>
#include <expected>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "base/http_message.h"
#include "net/address_guard.h"
#include "net/task.h"

namespace brickgate {

enum class Sent : std::uint8_t {
    not_sent,    // no byte of the request left: DNS, connect, TLS, the deadline just before sending
    maybe_sent,  // anything after the first byte without a complete answer
};

// Codes: upstream_unreachable, upstream_timeout, upstream_malformed, tls_failed, egress_denied,
// request_aborted, HttpLimits::too_large, shutting_down, invalid_request (not a request we send).
struct TransportError {
    Error error;
    Sent sent = Sent::not_sent;
};
using HttpAnswer = std::expected<HttpResponse, TransportError>;

struct HttpLimits {  // T34
    Milliseconds total = std::chrono::seconds(20);
    Milliseconds connect = std::chrono::seconds(5);  // name, TCP and TLS together
    std::size_t body_bytes_max = 64 * 1024;          // discovery 128 KiB, keys 256 KiB
    std::size_t header_bytes_max = 64 * 1024;
    std::size_t header_count_max = 200;
    ErrorCode too_large = ErrorCode::upstream_malformed;  // token endpoints: token_too_large
    // Grants: a connection of their own, or libcurl repeats a POST on a dead kept-alive one (T32).
    bool fresh_connection = false;
    // Asked on Clock::steady() just before the first byte; later than this nothing is sent.
    std::optional<Instant> not_after = std::nullopt;
    EgressPolicy egress = {};
};

class HttpClient {
 public:
    virtual ~HttpClient() = default;
    // Resumes on the caller's executor. Cancelling the caller does not recall the request.
    virtual Task<HttpAnswer> send(HttpRequest request, HttpLimits limits) = 0;
};

}  // namespace brickgate

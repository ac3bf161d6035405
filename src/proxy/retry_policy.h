// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whether a call is made again, and after how long (T47; facts 7.1, 9). Nothing that may have been
// done is done twice: POST is repeated only where it was refused at the door or carries an
// idempotency_token. Waits double and are jittered; what the server asks for is the least. Pure:
// time and randomness are arguments. Milliseconds. Any thread; no errors.
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace brickgate {

struct RetryQuestion {
    std::string_view method = {};
    std::string_view path = {};          // raw, without the query
    bool has_idempotency_token = false;  // body_has_idempotency_token()
    bool replayable = false;             // the whole body is still here
    int status = 0;                      // 0: no answer, the transport failed
    bool sent_maybe = false;             // it failed after the first byte had been handed over
    bool reused_connection = false;      // one that may have been closed while idle
    unsigned attempt = 1;                // calls made so far, the failed one included
    Milliseconds elapsed{0};             // since the first of them began
    std::optional<Milliseconds> server_wait = std::nullopt;  // server_wait_of()
    double dice = 0.5;                                       // in [0, 1)
};

struct RetryDecision {
    bool retry = false;
    // Before the next attempt. Where there is none: what the caller should wait, if the answer is
    // one that passes with time.
    Milliseconds wait{0};
    // Why there is a retry, or why none; a fixed word for the answer's header and the metrics.
    std::string_view reason;
};

class RetryPolicy {
 public:
    unsigned attempts_max = 4;  // as Databricks' Java client; more keeps a struggling server down
    // With all waits. Callers' own time-outs are about a minute, and a call that was given up is
    // still made.
    Milliseconds time_max = std::chrono::seconds(60);

    RetryDecision decide(RetryQuestion const& question) const;
};

// The longest wait that is believed or told: nobody holds a request for a day.
inline constexpr Milliseconds server_wait_max = std::chrono::hours(24);

// The longer of Retry-After (seconds or any date of RFC 9110 section 5.6.7) and of a
// google.rpc.RetryInfo in a JSON body; a date that is past is no wait; nothing where neither can be
// read.
std::optional<Milliseconds> server_wait_of(std::optional<std::string_view> retry_after_header,
                                           std::string_view body_start, Time now);

// For the Retry-After of an answer that is passed on: whole seconds, since Databricks' Python
// client reads no other form and its JDBC driver fails without one; at least 1.
std::string retry_after_seconds(Milliseconds wait);

// A JSON object with a non-empty text `idempotency_token`, as jobs/run-now and jobs/runs/submit
// take it.
bool body_has_idempotency_token(std::string_view json_body);

}  // namespace brickgate

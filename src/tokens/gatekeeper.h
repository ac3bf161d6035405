// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who may knock at a token endpoint now: a breaker per host (five outcomes in a row that were the
// server's fault open it; then one connection probes, and the others follow only if it gets a
// definite answer of an OAuth server) and the faults of our own registrations (D.7: a wrong client
// secret is nobody's dead grant). Pure; time is an argument.

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"

namespace brickgate {

struct RefreshRates {  // refreshes a second (D.9)
    unsigned per_host = 5;
    unsigned all = 50;
};

class Gatekeeper {
 public:
    explicit Gatekeeper(RefreshRates rates = {}) : rates_(rates) {}

    struct Closed {
        // host_blocked: the breaker; app_fault: the registration; refresh_pending: too many at once
        ErrorCode code;
        Milliseconds wait;
    };
    // Every pass is reported back once, with what came of it.
    struct Pass {
        std::string host;
        bool probe = false;  // through an open breaker: the others wait for its outcome
    };
    std::expected<Pass, Closed> knock(std::string const& host, RegistrationId const& registration,
                                      Time now);
    // What was closed and is open now: many will want to pass at once.
    struct Reopened {
        bool host = false;
        bool registration = false;
    };
    Reopened succeeded(Pass const& pass, RegistrationId const& registration);
    bool answered(Pass const& pass);          // an OAuth server spoke: it is well, whatever it said
    void failed(Pass const& pass, Time now);  // no answer, or a failure of the server's
    void unsure(Pass const& pass, Time now);  // 429, 503, a page, a redirect: no proof of health
    void gave_up(Pass const& pass);           // it never came to the host's opinion
    void app_failed(RegistrationId const& registration, ErrorCode code, Time now,
                    Milliseconds wait);

    struct AppFault {
        ErrorCode code = ErrorCode::app_fault;
        Time since{};
        Time retry_at{};
        unsigned count = 0;
    };
    std::optional<AppFault> fault_of(RegistrationId const& registration) const;
    bool open(std::string const& host, Time now) const;
    // Where a knock would be refused, so that nobody is sent there.
    std::vector<std::string> closed_hosts(Time now) const;
    bool at_fault(RegistrationId const& registration, Time now) const;

 private:
    struct Host {
        unsigned failures = 0;
        std::optional<Time> open_until;
        bool probing = false;
    };
    // A second's worth may come at once, then one every `interval`.
    struct Budget {
        Time next{};  // when the one after the last would be due at an even pace
        Milliseconds wait(Time now, unsigned rate) const;
        void take(Time now, unsigned rate);
    };
    void close(Host& state, Time now);
    Milliseconds budget_wait(std::string const& host, Time now);
    RefreshRates rates_;
    Budget all_;
    std::map<std::string, Budget> budgets_;
    std::map<std::string, Host> hosts_;
    std::map<RegistrationId, AppFault> faults_;
};

}  // namespace brickgate

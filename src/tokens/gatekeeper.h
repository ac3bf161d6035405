// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who may knock at a token endpoint now: a breaker per host (five outcomes in a row that were the
// server's fault open it; then one connection probes and the others wait for it) and the faults of
// our own registrations (D.7: a wrong client secret is nobody's dead grant). Pure; time is an
// argument.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"

namespace brickgate {

class Gatekeeper {
 public:
    struct Closed {
        ErrorCode code;  // host_blocked: the breaker; app_fault: the registration
        Milliseconds wait;
    };
    // nullopt: go. A go through an open breaker is the probe: report its outcome.
    std::optional<Closed> knock(std::string const& host, RegistrationId const& registration,
                                Time now);
    void succeeded(std::string const& host, RegistrationId const& registration);
    void host_failed(std::string const& host, Time now);
    void host_answered(std::string const& host);  // the host is well, whatever it said
    void app_failed(RegistrationId const& registration, ErrorCode code, Time now,
                    Milliseconds wait);
    void gave_up(
        std::string const& host);  // a probe that ended without reaching the host's opinion

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
    std::map<std::string, Host> hosts_;
    std::map<RegistrationId, AppFault> faults_;
};

}  // namespace brickgate

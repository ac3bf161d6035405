// SPDX-License-Identifier: Apache-2.0
#include "tokens/gatekeeper.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr unsigned failures_to_open = 5;  // D.7
constexpr Milliseconds first_pause = 5s;  // short: the refresh came minutes ahead of the need
constexpr Milliseconds longest_pause = 2min;
constexpr Milliseconds wait_for_probe = 1s;
constexpr std::size_t budgets_max = 10'000;     // hosts; those with nothing to wait for are dropped
constexpr Milliseconds wait_for_mending = 30s;  // longer than one refresh takes

}  // namespace

std::expected<Gatekeeper::Pass, Gatekeeper::Closed> Gatekeeper::knock(
    std::string const& host, RegistrationId const& registration, Time now) {
    auto const fault = faults_.find(registration);
    if (fault != faults_.end() && now < fault->second.retry_at) {
        return std::unexpected(Closed{ErrorCode::app_fault, fault->second.retry_at - now});
    }
    auto const state = hosts_.find(host);
    bool const open = state != hosts_.end() && state->second.open_until;
    if (open && now < *state->second.open_until) {
        return std::unexpected(Closed{ErrorCode::host_blocked, *state->second.open_until - now});
    }
    if (open && state->second.probing) {
        return std::unexpected(Closed{ErrorCode::host_blocked, wait_for_probe});
    }
    if (auto const wait = budget_wait(host, now); wait > Milliseconds(0)) {
        return std::unexpected(Closed{ErrorCode::refresh_pending, wait});
    }
    budgets_[host].take(now, rates_.per_host);
    all_.take(now, rates_.all);
    if (open) {
        state->second.probing = true;
    }
    if (fault != faults_.end()) {
        // One connection tries whether the registration was mended; the rest wait for what it
        // learns.
        fault->second.retry_at = now + wait_for_mending;
    }
    return Pass{host, open};
}

Milliseconds Gatekeeper::Budget::wait(Time now, unsigned rate) const {
    Milliseconds const burst = Milliseconds(1s) - Milliseconds(1s) / rate;
    // A clock that was set back must not lock the door.
    return next > now + 1s ? Milliseconds(0) : std::max(Milliseconds(0), next - burst - now);
}

void Gatekeeper::Budget::take(Time now, unsigned rate) {
    bool const set_back = next > now + 1s;
    next = (set_back ? now : std::max(next, now)) + Milliseconds(1s) / rate;
}

Milliseconds Gatekeeper::budget_wait(std::string const& host, Time now) {
    if (budgets_.size() > budgets_max) {
        std::erase_if(budgets_, [&](auto const& entry) { return entry.second.next <= now; });
    }
    auto const known = budgets_.find(host);
    auto const own =
        known == budgets_.end() ? Milliseconds(0) : known->second.wait(now, rates_.per_host);
    return std::max(own, all_.wait(now, rates_.all));
}

Gatekeeper::Reopened Gatekeeper::succeeded(Pass const& pass, RegistrationId const& registration) {
    return {answered(pass), faults_.erase(registration) > 0};
}

// An OAuth server spoke; true if the breaker was open.
bool Gatekeeper::answered(Pass const& pass) {
    auto const host = hosts_.extract(pass.host);
    return host && host.mapped().open_until.has_value();
}

void Gatekeeper::failed(Pass const& pass, Time now) {
    auto& state = hosts_[pass.host];
    if (state.open_until && !pass.probe) {
        return;  // sent before the breaker opened: it says nothing new
    }
    close(state, now);
}

void Gatekeeper::unsure(Pass const& pass, Time now) {
    if (pass.probe) {
        close(hosts_[pass.host], now);
    }
}

void Gatekeeper::close(Host& state, Time now) {
    state.failures += 1;
    state.probing = false;
    if (state.failures < failures_to_open) {
        return;
    }
    unsigned const beyond = std::min(state.failures - failures_to_open, 10U);
    state.open_until = now + std::min(Milliseconds(first_pause * (1L << beyond)), longest_pause);
}

void Gatekeeper::gave_up(Pass const& pass) {
    auto const found = hosts_.find(pass.host);
    if (pass.probe && found != hosts_.end()) {
        found->second.probing = false;
    }
}

void Gatekeeper::app_failed(RegistrationId const& registration, ErrorCode code, Time now,
                            Milliseconds wait) {
    auto& fault = faults_[registration];
    if (fault.count == 0) {
        fault.since = now;
    }
    fault.code = code;
    fault.count += 1;
    fault.retry_at = now + wait;
}

std::optional<Gatekeeper::AppFault> Gatekeeper::fault_of(RegistrationId const& registration) const {
    auto const found = faults_.find(registration);
    if (found == faults_.end()) {
        return std::nullopt;
    }
    return found->second;
}

std::vector<std::string> Gatekeeper::closed_hosts(Time now) const {
    std::vector<std::string> out;
    for (auto const& [host, state] : hosts_) {
        if (state.open_until && (state.probing || now < *state.open_until)) {
            out.push_back(host);
        }
    }
    return out;
}

bool Gatekeeper::at_fault(RegistrationId const& registration, Time now) const {
    auto const fault = faults_.find(registration);
    return fault != faults_.end() && now < fault->second.retry_at;
}

bool Gatekeeper::open(std::string const& host, Time now) const {
    auto const found = hosts_.find(host);
    return found != hosts_.end() && found->second.open_until && now < *found->second.open_until;
}

}  // namespace brickgate

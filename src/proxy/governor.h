// SPDX-License-Identifier: Apache-2.0
#pragma once
// Keeps our calls to Databricks within its limits, before they leave: rate_limiter with a lock, a
// clock and waiting coroutines. try_admit(), admit(), observed() and snapshot() from any thread;
// waiters resume on their own executors. run() is spawned once on the control executor and ended by
// stop(); the Governor outlives both and every waiter. A waiter that is cancelled leaves the line
// and throws operation_aborted, as every Task. Errors: rate_limited (with Retry-After),
// shutting_down. In report mode nothing ever waits: the counters tell what would have happened.
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "net/metrics.h"
#include "net/timers.h"
#include "proxy/rate_limiter.h"
#include "proxy/route_families.h"

namespace brickgate {

enum class GovernorMode : std::uint8_t { enforce, report, off };
std::optional<GovernorMode> governor_mode_from(std::string_view text);

// Leave for one call. It goes back to observed() with what came of the call.
struct Admission {
    std::string workspace = {};
    std::string family = {};  // empty where the mode is off
    Milliseconds waited{0};   // report mode: would have
    bool would_have_waited = false;
    bool would_have_been_refused = false;
    std::size_t family_index = 0;
    Instant granted_at{};
};

// For explain: a family that the workspace used lately.
struct FamilyState {
    std::string family = {};
    std::optional<double> published_per_second = {};  // nullopt: none is published
    std::optional<double> current_per_second = {};    // nullopt: no limit now
    std::size_t waiting = 0;
    std::optional<Time> held_until = {};  // the server asked for a pause
};

class Governor {
 public:
    struct Options {
        RouteFamilies families{};
        GovernorMode mode = GovernorMode::enforce;
        Milliseconds queue_max = std::chrono::seconds(30);  // the longest a call waits for its turn
        std::size_t waiters_max = 4096;                     // over all workspaces
    };

    Governor(Options options, Clock const& clock, Timers& timers, Executor control,
             Metrics& metrics);
    ~Governor();
    Governor(Governor const&) = delete;
    Governor& operator=(Governor const&) = delete;

    // At once, or nullopt: then admit() waits.
    std::optional<Admission> try_admit(std::string_view workspace, std::string_view method,
                                       std::string_view path, std::string_view connection);
    Task<Result<Admission>> admit(std::string workspace, std::string method, std::string path,
                                  std::string connection);
    // `server_wait`: Retry-After or RetryInfo of a 429.
    void observed(Admission const& admission, int status, std::optional<Milliseconds> server_wait);
    std::vector<FamilyState> snapshot(std::string_view workspace) const;

    Task<void> run();
    void stop();  // any thread; whoever waits gets shutting_down

 private:
    struct Waiter;
    struct FamilyCounters {
        Counter* queued;
        Counter* refused;
        Counter* adapted;
    };
    using Outcome = Result<Milliseconds>;  // how long it waited

    Admission admission(std::string_view workspace, std::size_t family, Instant now) const;
    Admission foreseen(std::string_view workspace, std::size_t family);
    Error refusal(std::size_t family, Milliseconds come_again) const;
    RateLimiter::Answer enter(std::string_view workspace, std::size_t family,
                              std::string_view connection, Instant now,
                              std::shared_ptr<Waiter> const& waiter);
    void leave(RateLimiter::Ticket ticket);
    bool is_stopping() const;
    std::optional<Milliseconds> deliver();
    Task<void> poked();
    void poke();

    Options options_;
    Clock const& clock_;
    Timers& timers_;
    Executor control_;
    std::vector<FamilyCounters> counters_;
    Gauge& waiting_;

    mutable std::mutex mutex_;  // over what follows; never held across a wait
    mutable RateLimiter limiter_;
    std::unordered_map<RateLimiter::Ticket, std::shared_ptr<Waiter>> waiters_;
    Instant wakes_at_ = Instant::max();  // when run() looks again by itself
    bool stopping_ = false;

    SteadyTimer gate_;    // the control executor's, as poked_
    bool poked_ = false;  // by a thread that was quicker than run() on its way to the gate
};

}  // namespace brickgate

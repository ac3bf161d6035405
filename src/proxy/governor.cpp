// SPDX-License-Identifier: Apache-2.0
#include "proxy/governor.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

namespace brickgate {

namespace {

Seconds whole_seconds(Milliseconds time) {
    return std::chrono::ceil<Seconds>(time);
}

RateLimiter::Options limiter_options(Governor::Options const& options) {
    RateLimiter::Options out{.waiters_max = options.waiters_max};
    for (RouteFamily const& family : options.families.all()) {
        out.families.push_back(
            {.per_second = family.per_second, .burst = family.burst, .adapts = family.adapts});
    }
    return out;
}

}  // namespace

// Everything about one is done on its own executor, but for being made and found.
struct Governor::Waiter {
    explicit Waiter(Executor home) : executor(home), gate(home, SteadyTimer::time_point::max()) {}

    static void resume(std::shared_ptr<Waiter> waiter, Outcome outcome) {
        Executor const executor = waiter->executor;
        boost::asio::post(executor,
                          [waiter = std::move(waiter), outcome = std::move(outcome)]() mutable {
                              waiter->outcome = std::move(outcome);
                              waiter->gate.cancel();
                          });
    }

    Executor executor;
    SteadyTimer gate;  // never expires; cancelled when the outcome is there
    std::optional<Outcome> outcome;
};

std::optional<GovernorMode> governor_mode_from(std::string_view text) {
    if (text == "enforce") {
        return GovernorMode::enforce;
    }
    if (text == "report") {
        return GovernorMode::report;
    }
    return text == "off" ? std::optional(GovernorMode::off) : std::nullopt;
}

Governor::Governor(Options options, Clock const& clock, Timers& timers, Executor control,
                   Metrics& metrics)
    : options_(std::move(options)),
      clock_(clock),
      timers_(timers),
      control_(control),
      waiting_(metrics.gauge("brickgate_rate_waiting",
                             "Calls that wait for their turn within Databricks' limits")),
      limiter_(limiter_options(options_)),
      gate_(control, SteadyTimer::time_point::max()) {
    for (RouteFamily const& family : options_.families.all()) {
        Labels const labels{{"family", family.name}};
        counters_.push_back(
            {.queued = &metrics.counter("brickgate_rate_queued_total",
                                        "Calls that had to wait (report mode: would have)", labels),
             .refused = &metrics.counter("brickgate_rate_refused_total",
                                         "Calls refused, because their turn would come too late "
                                         "(report mode: would have been)",
                                         labels),
             .adapted = &metrics.counter("brickgate_rate_adapted_total",
                                         "Times a rate was cut, because Databricks answered 429",
                                         labels)});
    }
}

Governor::~Governor() = default;

Admission Governor::admission(std::string_view workspace, std::size_t family, Instant now) const {
    return {.workspace = std::string(workspace),
            .family = options_.families.all()[family].name,
            .family_index = family,
            .granted_at = now};
}

Error Governor::refusal(std::size_t family, Milliseconds come_again) const {
    Seconds const wait = whole_seconds(come_again);
    return Error(ErrorCode::rate_limited, "This workspace's limit for '" +
                                              options_.families.all()[family].name +
                                              "' is used up; there is room again in about " +
                                              std::to_string(wait.count()) + " s.")
        .with_retry_after(wait);
}

Admission Governor::foreseen(std::string_view workspace, std::size_t family) {
    Instant const now = clock_.steady();
    Admission out = admission(workspace, family, now);
    RateLimiter::Answer answer;
    {
        std::lock_guard const lock(mutex_);
        answer = limiter_.foresee({workspace, family}, now, options_.queue_max);
    }
    if (answer.verdict == RateLimiter::Verdict::queued) {
        out.would_have_waited = true;
        out.waited = answer.wait;
        counters_[family].queued->add();
    }
    if (answer.verdict == RateLimiter::Verdict::refused) {
        out.would_have_been_refused = true;
        counters_[family].refused->add();
    }
    return out;
}

std::optional<Admission> Governor::try_admit(std::string_view workspace, std::string_view method,
                                             std::string_view path, std::string_view connection) {
    if (options_.mode == GovernorMode::off) {
        Admission out;
        out.workspace = workspace;
        return out;
    }
    std::size_t const family = options_.families.index_of(method, path);
    if (options_.mode == GovernorMode::report) {
        return foreseen(workspace, family);
    }
    Instant const now = clock_.steady();
    if (!limiter_.is_free(family)) {
        std::lock_guard const lock(mutex_);
        auto const answer = limiter_.acquire({workspace, family}, connection, now, now);
        if (answer.verdict != RateLimiter::Verdict::granted) {
            return std::nullopt;
        }
    }
    return admission(workspace, family, now);
}

RateLimiter::Answer Governor::enter(std::string_view workspace, std::size_t family,
                                    std::string_view connection, Instant now,
                                    std::shared_ptr<Waiter> const& waiter) {
    std::lock_guard const lock(mutex_);
    if (stopping_) {
        waiter->outcome = fail(ErrorCode::shutting_down, "The gateway is shutting down.");
        return {};
    }
    auto const answer =
        limiter_.acquire({workspace, family}, connection, now, now + options_.queue_max);
    if (answer.verdict == RateLimiter::Verdict::granted) {
        waiter->outcome = Milliseconds(0);
    } else if (answer.verdict == RateLimiter::Verdict::refused) {
        waiter->outcome = fail(refusal(family, answer.wait));
        counters_[family].refused->add();
    } else {
        waiters_.emplace(answer.ticket, waiter);
        counters_[family].queued->add();
        waiting_.set(static_cast<double>(limiter_.waiting()));
        if (limiter_.next_event(now).value_or(now) < wakes_at_) {
            wakes_at_ = now;  // one poke is enough until run() has looked
            boost::asio::post(control_, [this] { poke(); });
        }
    }
    return answer;
}

void Governor::leave(RateLimiter::Ticket ticket) {
    std::lock_guard const lock(mutex_);
    waiters_.erase(ticket);
    limiter_.cancel(ticket);
    waiting_.set(static_cast<double>(limiter_.waiting()));
}

Task<Result<Admission>> Governor::admit(std::string workspace, std::string method, std::string path,
                                        std::string connection) {
    if (options_.mode != GovernorMode::enforce) {
        co_return *try_admit(workspace, method, path, connection);
    }
    std::size_t const family = options_.families.index_of(method, path);
    Executor const home = co_await boost::asio::this_coro::executor;
    auto const waiter = std::make_shared<Waiter>(home);
    Instant const entered = clock_.steady();
    auto const answer = enter(workspace, family, connection, entered, waiter);
    if (!waiter->outcome) {
        boost::system::error_code ignored;
        co_await waiter->gate.async_wait(boost::asio::redirect_error(use_task, ignored));
    }
    if (!waiter->outcome) {
        leave(answer.ticket);
        throw boost::system::system_error(boost::asio::error::operation_aborted);
    }
    if (!*waiter->outcome) {
        co_return fail(waiter->outcome->error());
    }
    Milliseconds const waited = **waiter->outcome;
    Admission out = admission(workspace, family, entered + waited);
    out.waited = waited;
    co_return out;
}

void Governor::observed(Admission const& admission, int status,
                        std::optional<Milliseconds> server_wait) {
    // A call that would not have left says nothing of one that would have.
    if (options_.mode == GovernorMode::off || admission.would_have_waited ||
        admission.would_have_been_refused || limiter_.is_free(admission.family_index)) {
        return;
    }
    RateObservation const seen{
        .status = status, .server_wait = server_wait, .granted_at = admission.granted_at};
    Instant const now = clock_.steady();
    bool cut = false;
    {
        std::lock_guard const lock(mutex_);
        cut = limiter_.observed({admission.workspace, admission.family_index}, seen, now);
    }
    if (cut) {
        counters_[admission.family_index].adapted->add();
    }
}

std::vector<FamilyState> Governor::snapshot(std::string_view workspace) const {
    Instant const now = clock_.steady();
    Time const wall = clock_.now();
    std::vector<RateLimiter::State> states;
    {
        std::lock_guard const lock(mutex_);
        states = limiter_.snapshot(workspace, now);
    }
    std::vector<FamilyState> out;
    for (auto const& state : states) {
        RouteFamily const& family = options_.families.all()[state.family];
        FamilyState shown{.family = family.name,
                          .current_per_second = state.per_second,
                          .waiting = state.waiting};
        if (family.per_second > 0) {
            shown.published_per_second = family.per_second;
        }
        if (state.held_until) {
            shown.held_until = wall + (*state.held_until - now);
        }
        out.push_back(std::move(shown));
    }
    return out;
}

// Wakes those whose turn has come, or never will in time; says when to look again.
std::optional<Milliseconds> Governor::deliver() {
    std::vector<std::pair<std::shared_ptr<Waiter>, Outcome>> ready;
    std::optional<Instant> next;
    Instant const now = clock_.steady();
    {
        std::lock_guard const lock(mutex_);
        for (auto const& settled : limiter_.pump(now)) {
            auto const node = waiters_.extract(settled.ticket);
            if (node.empty()) {
                continue;  // cancelled while it was being settled
            }
            if (settled.verdict == RateLimiter::Verdict::granted) {
                ready.emplace_back(node.mapped(), settled.wait);
            } else {
                ready.emplace_back(node.mapped(), fail(refusal(settled.family, settled.wait)));
                counters_[settled.family].refused->add();
            }
        }
        next = limiter_.next_event(now);
        wakes_at_ = next.value_or(Instant::max());
        waiting_.set(static_cast<double>(limiter_.waiting()));
    }
    for (auto& [waiter, outcome] : ready) {
        Waiter::resume(std::move(waiter), std::move(outcome));
    }
    return next ? std::optional(*next - now) : std::nullopt;
}

bool Governor::is_stopping() const {
    std::lock_guard const lock(mutex_);
    return stopping_;
}

Task<void> Governor::run() {
    while (!is_stopping()) {
        auto const pause = deliver();
        if (pause) {
            co_await with_timeout(poked(), *pause, timers_);
        } else {
            co_await poked();
        }
    }
}

Task<void> Governor::poked() {
    if (!poked_) {
        boost::system::error_code ignored;
        co_await gate_.async_wait(boost::asio::redirect_error(use_task, ignored));
    }
    poked_ = false;  // whoever called for us: run() looks at everything
}

void Governor::poke() {
    poked_ = true;
    gate_.cancel();
}

void Governor::stop() {
    std::unordered_map<RateLimiter::Ticket, std::shared_ptr<Waiter>> waiters;
    {
        std::lock_guard const lock(mutex_);
        stopping_ = true;
        waiters = std::exchange(waiters_, {});
        for (auto const& [ticket, waiter] : waiters) {
            limiter_.cancel(ticket);
        }
        waiting_.set(static_cast<double>(limiter_.waiting()));
    }
    for (auto& [ticket, waiter] : waiters) {
        Waiter::resume(std::move(waiter),
                       fail(ErrorCode::shutting_down, "The gateway is shutting down."));
    }
    boost::asio::post(control_, [this] { poke(); });
}

}  // namespace brickgate

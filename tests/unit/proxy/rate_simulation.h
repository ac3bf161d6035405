// SPDX-License-Identifier: Apache-2.0
#pragma once
// A workspace that limits by a token bucket whose fill nobody knows, connections that call it
// through RateLimiter, and another client that takes part of the limit. Time is simulated, so an
// hour passes in a moment, the same at each run of a seed.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "proxy/rate_limiter.h"

namespace brickgate::testing {

// Databricks, as far as limits go.
class LimitedServer {
 public:
    LimitedServer(double per_second, double burst, double fill)
        : per_second_(per_second), burst_(burst), tokens_(burst * fill) {}

    bool asked(Instant now) {
        double const time = static_cast<double>((now - at_).count()) / 1000;
        tokens_ = std::min(burst_, tokens_ + time * per_second_);
        at_ = now;
        if (tokens_ < 1) {
            return false;
        }
        tokens_ -= 1;
        return true;
    }

 private:
    double per_second_;
    double burst_;
    double tokens_;
    Instant at_{};
};

// 1: all get the same; 1/n: one gets all.
inline double jain_index(std::vector<double> const& shares) {
    double sum = 0;
    double squares = 0;
    for (double const share : shares) {
        sum += share;
        squares += share * share;
    }
    return sum * sum / (static_cast<double>(shares.size()) * squares);
}

struct RateWorld {
    double published = 20;     // what Databricks says, and our bucket is told
    double granted = 20;       // what it really gives
    double server_burst = 20;  // calls
    double server_fill = 0.5;  // of it, when we begin
    double others = 0;         // calls a second of another client
    bool others_evenly = true;
    std::size_t connections = 50;
    std::size_t greedy = 0;  // calls that one of them keeps open at once; 0: one, as the others
    std::optional<Milliseconds> retry_after = std::nullopt;  // in 429
    std::uint64_t seed = 1;
    Milliseconds time = std::chrono::minutes(10);
};

struct RateOutcome {
    std::vector<Instant> refusals = {};               // 429s to us
    std::vector<std::uint64_t> served_a_minute = {};  // ours and the other's
    std::vector<double> served = {};                  // to each connection, after the first minute
    std::uint64_t turned_away = 0;                    // by ourselves, after the first minute

    std::size_t refused_after(Milliseconds start) const {
        return static_cast<std::size_t>(std::ranges::count_if(
            refusals, [&](Instant when) { return when.time_since_epoch() > start; }));
    }
    double per_second_after_first_minute() const {
        double sum = 0;
        for (std::size_t minute = 1; minute < served_a_minute.size(); ++minute) {
            sum += static_cast<double>(served_a_minute[minute]);
        }
        return sum / (60.0 * static_cast<double>(served_a_minute.size() - 1));
    }
};

class RateSimulation {
 public:
    explicit RateSimulation(RateWorld const& world)
        : world_(world),
          server_(world.granted, world.server_burst, world.server_fill),
          limiter_({.families = {{.per_second = world.published,
                                  .burst = std::max(1.0, world.published / 2)}}}),
          engine_(world.seed) {
        for (std::size_t i = 0; i < world.connections; ++i) {
            names_.push_back("connection " + std::to_string(i));
        }
        outcome_.served.assign(world.connections, 0);
        outcome_.served_a_minute.assign(
            static_cast<std::size_t>(world.time / std::chrono::minutes(1)), 0);
    }

    RateOutcome run() {
        for (std::size_t i = 0; i < world_.connections; ++i) {
            std::size_t const calls = i == 0 && world_.greedy > 0 ? world_.greedy : 1;
            for (std::size_t n = 0; n < calls; ++n) {
                at(Instant(Milliseconds(between(0, 100))), [this, i] { call(i); });
            }
        }
        if (world_.others > 0) {
            at(Instant(Milliseconds(between(0, 100))), [this] { other_calls(); });
        }
        while (!events_.empty() && events_.top().when < Instant(world_.time)) {
            Event const event = events_.top();
            events_.pop();
            now_ = event.when;
            event.action();
        }
        return std::move(outcome_);
    }

 private:
    struct Event {
        Instant when;
        std::uint64_t order;
        std::function<void()> action;
        bool operator>(Event const& other) const {
            return std::pair(when, order) > std::pair(other.when, other.order);
        }
    };

    std::int64_t between(std::int64_t least, std::int64_t most) {
        return std::uniform_int_distribution<std::int64_t>(least, most)(engine_);
    }
    void at(Instant when, std::function<void()> action) {
        order_ += 1;
        events_.push({when, order_, std::move(action)});
    }
    bool after_first_minute() const { return now_.time_since_epoch() > std::chrono::minutes(1); }
    void count_served() {
        auto const minute =
            static_cast<std::size_t>(now_.time_since_epoch() / std::chrono::minutes(1));
        outcome_.served_a_minute[minute] += 1;
    }

    void call(std::size_t connection) {
        auto const answer =
            limiter_.acquire({"w", 0}, names_[connection], now_, now_ + std::chrono::seconds(30));
        if (answer.verdict == RateLimiter::Verdict::granted) {
            send(connection, now_);
        } else if (answer.verdict == RateLimiter::Verdict::refused) {
            turn_away(connection, answer.wait);
        } else {
            waiting_[answer.ticket] = connection;
            watch();
        }
    }
    void turn_away(std::size_t connection, Milliseconds wait) {
        outcome_.turned_away += after_first_minute() ? 1 : 0;
        at(now_ + wait, [this, connection] { call(connection); });
    }
    void watch() {
        auto const next = limiter_.next_event(now_);
        if (next && (!watching_ || *next < *watching_)) {
            watching_ = *next;
            at(*next, [this] { pump(); });
        }
    }
    void pump() {
        watching_.reset();
        for (auto const& settled : limiter_.pump(now_)) {
            auto const connection = waiting_.extract(settled.ticket).mapped();
            if (settled.verdict == RateLimiter::Verdict::granted) {
                send(connection, now_);
            } else {
                turn_away(connection, settled.wait);
            }
        }
        watch();
    }
    // There and back: 20 to 120 ms each, so calls overtake each other.
    void send(std::size_t connection, Instant granted) {
        at(now_ + Milliseconds(between(20, 120)), [this, connection, granted] {
            bool const served = server_.asked(now_);
            if (served) {
                count_served();
                outcome_.served[connection] += after_first_minute() ? 1 : 0;
            } else {
                outcome_.refusals.push_back(now_);
            }
            at(now_ + Milliseconds(between(20, 120)),
               [this, connection, granted, served] { answered(connection, granted, served); });
        });
    }
    void answered(std::size_t connection, Instant granted, bool served) {
        limiter_.observed({"w", 0},
                          {.status = served ? 200 : 429,
                           .server_wait = served ? std::nullopt : world_.retry_after,
                           .granted_at = granted},
                          now_);
        call(connection);
    }
    void other_calls() {
        if (server_.asked(now_)) {
            count_served();
        }
        double const pause = world_.others_evenly
                                 ? 1000 / world_.others
                                 : std::exponential_distribution<>(world_.others / 1000)(engine_);
        at(now_ + Milliseconds(std::llround(pause)), [this] { other_calls(); });
    }

    RateWorld world_;
    LimitedServer server_;
    RateLimiter limiter_;
    std::mt19937_64 engine_;
    std::vector<std::string> names_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::uint64_t order_ = 0;
    Instant now_{};
    std::optional<Instant> watching_;
    std::unordered_map<RateLimiter::Ticket, std::size_t> waiting_;
    RateOutcome outcome_;
};

}  // namespace brickgate::testing

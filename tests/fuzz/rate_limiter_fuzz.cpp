// SPDX-License-Identifier: Apache-2.0
// The bytes drive a RateLimiter through acquire, pump, observed, cancel and time that passes. What
// must hold: in no span of time more grants than burst and published limit allow; no ticket
// settled twice, none after it was cancelled, none lost; no deadline overrun by a pump; no more
// waiters than places; an event that is announced is one.
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <span>
#include <string>

#include "proxy/rate_limiter.h"

namespace {

using brickgate::Instant;
using brickgate::Milliseconds;
using brickgate::RateLimiter;
using Verdict = RateLimiter::Verdict;
using Ticket = RateLimiter::Ticket;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

constexpr std::size_t waiters_max = 16;
constexpr double published = 8;
constexpr double burst = 4;

// Every grant of one bucket: whichever of them a span begins with, no more fall into it than the
// burst and what the published limit brings meanwhile.
class Ledger {
 public:
    void granted(Instant now) {
        grants_.push_back(now);
        for (std::size_t i = 0; i < grants_.size(); ++i) {
            double const time = static_cast<double>((now - grants_[i]).count()) / 1000;
            double const count = static_cast<double>(grants_.size() - i);
            require(count <= burst + published * time + 1e-6);
        }
        if (grants_.size() > 200) {
            grants_.pop_front();
        }
    }

 private:
    std::deque<Instant> grants_;
};

class Drive {
 public:
    void run(std::span<std::uint8_t const> bytes) {
        while (bytes.size() >= 2) {
            step(bytes[0], bytes[1]);
            bytes = bytes.subspan(2);
        }
        // Whoever waits gets an answer: pumping at each announced event ends.
        for (int i = 0; !open_.empty() && i < 100'000; ++i) {
            auto const next = limiter_.next_event(now_);
            require(next && *next >= now_);
            now_ = *next;
            pump();
        }
        require(open_.empty());
        require(limiter_.waiting() == 0);
        require(!limiter_.next_event(now_));
    }

 private:
    static RateLimiter::Options options() {
        return {.families = {{.per_second = published, .burst = burst},
                             {.per_second = 0},
                             {.per_second = published, .burst = burst, .adapts = false},
                             {.per_second = 0, .adapts = false}},
                .waiters_max = waiters_max};
    }

    struct Open {
        Instant deadline;
        std::size_t bucket;
    };

    void step(std::uint8_t what, std::uint8_t value) {
        std::size_t const bucket = what >> 3 & 7;  // two workspaces, four families
        switch (what & 7) {
            case 0:
            case 1:
                acquire(bucket, value);
                break;
            case 2:
                now_ += Milliseconds(value) * (what & 64 ? 100 : 1);
                break;
            case 3:
                pump();
                break;
            case 4:
                observe(bucket, value);
                break;
            case 5:
                cancel(value);
                break;
            case 6:
                if (auto const next = limiter_.next_event(now_)) {
                    require(*next >= now_);
                    now_ = *next;
                    pump();
                    auto const after = limiter_.next_event(now_);
                    require(!after || *after > now_);
                }
                break;
            default:
                limiter_.snapshot(value & 1 ? "w1" : "w0", now_);
        }
        require(limiter_.waiting() <= waiters_max);
    }

    RateLimiter::Key key(std::size_t bucket) const {
        return {.workspace = bucket & 1 ? "w1" : "w0", .family = bucket >> 1};
    }

    void count_grant(std::size_t bucket) {
        if (auto const family = bucket >> 1; family == 0 || family == 2) {
            ledgers_[bucket].granted(now_);
        }
    }

    void acquire(std::size_t bucket, std::uint8_t value) {
        std::string const connection(1, static_cast<char>('a' + (value & 7)));
        Instant const deadline = now_ + Milliseconds(value >> 3) * 100;
        auto const answer = limiter_.acquire(key(bucket), connection, now_, deadline);
        if (answer.verdict == Verdict::granted) {
            count_grant(bucket);
        } else if (answer.verdict == Verdict::queued) {
            require(deadline > now_);
            require(answer.wait <= deadline - now_);
            require(open_.emplace(answer.ticket, Open{deadline, bucket}).second);
        } else {
            require(answer.wait >= Milliseconds(1000));
        }
    }

    void pump() {
        for (auto const& settled : limiter_.pump(now_)) {
            auto const open = open_.extract(settled.ticket);
            require(!open.empty());  // unknown, settled before, or cancelled
            require(settled.family == open.mapped().bucket >> 1);
            if (settled.verdict == Verdict::granted) {
                count_grant(open.mapped().bucket);
            } else {
                require(settled.verdict == Verdict::refused);
                require(settled.wait >= Milliseconds(1000));
            }
        }
        for (auto const& [ticket, open] : open_) {
            require(open.deadline > now_);
        }
    }

    void observe(std::size_t bucket, std::uint8_t value) {
        brickgate::RateObservation seen{.status = value & 1 ? 429 : 200,
                                        .granted_at = now_ - Milliseconds(value & 30)};
        if (value & 32) {
            seen.server_wait = Milliseconds(value & 192) * 100;
        }
        limiter_.observed(key(bucket), seen, now_);
    }

    void cancel(std::uint8_t value) {
        if (open_.empty()) {
            require(!limiter_.cancel(last_cancelled_));
            return;
        }
        auto const chosen = std::next(open_.begin(), value % static_cast<long>(open_.size()));
        last_cancelled_ = chosen->first;
        // One that lost its place to another is refused at the next pump().
        if (limiter_.cancel(chosen->first)) {
            open_.erase(chosen);
        }
        require(!limiter_.cancel(last_cancelled_));
    }

    RateLimiter limiter_{options()};
    Instant now_{Milliseconds(1'000'000)};
    std::map<Ticket, Open> open_;
    std::map<std::size_t, Ledger> ledgers_;
    Ticket last_cancelled_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    Drive().run({data, size});
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "proxy/rate_limiter.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace brickgate {

namespace {

using namespace std::chrono_literals;

constexpr Milliseconds sweep_every = 60s;  // what is idle is small: it may stay a minute
// A caller that is told 0 comes back at once, and whole seconds are what Retry-After has.
constexpr Milliseconds come_again_min = 1s;

Milliseconds come_again(Milliseconds wait, Milliseconds patience) {
    return std::max(come_again_min, wait - patience);
}

}  // namespace

std::size_t RateLimiter::NameHash::operator()(Key const& key) const {
    return std::hash<std::string_view>()(key.workspace) ^ (key.family * 0x9E3779B97F4A7C15ULL);
}

bool RateLimiter::is_free(std::size_t family) const {
    RateLimit const& limit = options_.families[family];
    return limit.per_second <= 0 && !limit.adapts;
}

RateLimiter::Bucket& RateLimiter::bucket_of(Key key, Instant now) {
    if (auto const found = buckets_.find(key); found != buckets_.end()) {
        return found->second;
    }
    forget_idle(now);
    Bucket fresh{.rate = RateBucket(options_.families[key.family], now), .family = key.family};
    return buckets_.emplace(Name{std::string(key.workspace), key.family}, std::move(fresh))
        .first->second;
}

// How long a further call of `connection` would wait: of every line, as many go before it as the
// turns it needs itself.
Milliseconds RateLimiter::wait_of_next(Bucket& bucket, std::string_view connection, Instant now) {
    auto const own = bucket.line_of.find(connection);
    std::size_t const turns = 1 + (own == bucket.line_of.end() ? 0 : own->second->waiters.size());
    std::size_t calls = own == bucket.line_of.end() ? 1 : 0;
    for (Line const& line : bucket.lines) {
        bool const is_own = own != bucket.line_of.end() && &line == &*own->second;
        calls += is_own ? turns : std::min(turns, line.waiters.size());
    }
    return bucket.rate.wait_for(static_cast<double>(calls), now);
}

RateLimiter::Answer RateLimiter::acquire(Key key, std::string_view connection, Instant now,
                                         Instant deadline) {
    if (is_free(key.family)) {
        return {};
    }
    Bucket& bucket = bucket_of(key, now);
    if (bucket.waiting == 0 && bucket.rate.take(now)) {
        return {};
    }
    Milliseconds const patience = std::max(Milliseconds(0), deadline - now);
    Milliseconds const wait = wait_of_next(bucket, connection, now);
    if (patience == Milliseconds(0) || wait > patience || !make_room(bucket, connection, now)) {
        return {.verdict = Verdict::refused, .wait = come_again(wait, patience)};
    }
    Ticket const ticket = enqueue(bucket, connection, now, deadline);
    return {.verdict = Verdict::queued, .ticket = ticket, .wait = wait};
}

RateLimiter::Answer RateLimiter::foresee(Key key, Instant now, Milliseconds patience) {
    if (is_free(key.family)) {
        return {};
    }
    RateBucket& rate = bucket_of(key, now).rate;
    if (rate.take(now)) {
        return {};
    }
    Milliseconds const wait = rate.wait_for(1, now);
    if (wait > patience) {
        return {.verdict = Verdict::refused, .wait = come_again(wait, patience)};
    }
    rate.borrow(now);
    return {.verdict = Verdict::queued, .wait = wait};
}

// When all places are taken, the last call of the longest line gives way, but only to a line that
// is shorter than it by more than one: two lines do not throw each other out in turn.
bool RateLimiter::make_room(Bucket& bucket, std::string_view connection, Instant now) {
    if (waiters_.size() < options_.waiters_max) {
        return true;
    }
    Line* longest = nullptr;
    for (Bucket* const busy : busy_) {
        for (Line& line : busy->lines) {
            if (!longest || line.waiters.size() > longest->waiters.size()) {
                longest = &line;
            }
        }
    }
    auto const own = bucket.line_of.find(connection);
    std::size_t const own_length = own == bucket.line_of.end() ? 0 : own->second->waiters.size();
    if (!longest || longest->waiters.size() <= own_length + 1) {
        return false;
    }
    auto const last = std::prev(longest->waiters.end());
    Milliseconds const wait = wait_of_next(*last->bucket, longest->connection, now);
    settle(last, Verdict::refused, come_again(wait, last->deadline - last->since));
    return true;
}

RateLimiter::Ticket RateLimiter::enqueue(Bucket& bucket, std::string_view connection, Instant now,
                                         Instant deadline) {
    auto own = bucket.line_of.find(connection);
    if (own == bucket.line_of.end()) {
        auto const line =
            bucket.lines.insert(bucket.lines.end(), Line{std::string(connection), {}});
        own = bucket.line_of.emplace(line->connection, line).first;
    }
    auto const line = own->second;
    last_ticket_ += 1;
    line->waiters.push_back({last_ticket_, now, deadline, &bucket, line});
    waiters_.emplace(last_ticket_, std::prev(line->waiters.end()));
    deadlines_.emplace(deadline, last_ticket_);
    bucket.waiting += 1;
    busy_.insert(&bucket);
    return last_ticket_;
}

void RateLimiter::remove(std::list<Waiter>::iterator waiter) {
    Bucket& bucket = *waiter->bucket;
    auto const line = waiter->line;
    waiters_.erase(waiter->ticket);
    deadlines_.erase({waiter->deadline, waiter->ticket});
    line->waiters.erase(waiter);
    if (line->waiters.empty()) {
        bucket.line_of.erase(line->connection);
        bucket.lines.erase(line);
    }
    bucket.waiting -= 1;
    if (bucket.waiting == 0) {
        busy_.erase(&bucket);
    }
}

void RateLimiter::settle(std::list<Waiter>::iterator waiter, Verdict verdict, Milliseconds wait) {
    settled_.push_back({waiter->ticket, verdict, waiter->bucket->family, wait});
    remove(waiter);
}

std::optional<Instant> RateLimiter::next_event(Instant now) {
    if (!settled_.empty()) {
        return now;
    }
    if (deadlines_.empty()) {
        return std::nullopt;
    }
    Instant next = deadlines_.begin()->first;
    for (Bucket* const bucket : busy_) {
        next = std::min(next, now + bucket->rate.wait_for(1, now));
    }
    return std::max(next, now);
}

std::vector<RateLimiter::Settled> RateLimiter::pump(Instant now) {
    std::vector<Bucket*> const busy(busy_.begin(), busy_.end());
    for (Bucket* const bucket : busy) {
        while (bucket->waiting > 0 && bucket->rate.take(now)) {
            auto const line = bucket->lines.begin();
            bucket->lines.splice(bucket->lines.end(), bucket->lines, line);
            auto const first = line->waiters.begin();
            settle(first, Verdict::granted, now - first->since);
        }
    }
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        auto const late = waiters_.at(deadlines_.begin()->second);
        Milliseconds const wait = wait_of_next(*late->bucket, late->line->connection, now);
        settle(late, Verdict::refused, come_again(wait, late->deadline - late->since));
    }
    forget_idle(now);
    return std::exchange(settled_, {});
}

bool RateLimiter::cancel(Ticket ticket) {
    auto const found = waiters_.find(ticket);
    if (found == waiters_.end()) {
        return false;
    }
    remove(found->second);
    return true;
}

bool RateLimiter::observed(Key key, RateObservation const& seen, Instant now) {
    return !is_free(key.family) && bucket_of(key, now).rate.observed(seen, now);
}

std::vector<RateLimiter::State> RateLimiter::snapshot(std::string_view workspace, Instant now) {
    std::vector<State> out;
    for (std::size_t family = 0; family < options_.families.size(); ++family) {
        auto const found = buckets_.find(Key{workspace, family});
        if (found == buckets_.end()) {
            continue;
        }
        Bucket& bucket = found->second;
        auto const per_second = bucket.rate.rate(now);
        out.push_back({family, per_second, bucket.waiting, bucket.rate.held_until(now)});
    }
    return out;
}

void RateLimiter::forget_idle(Instant now) {
    if (swept_at_ && now - *swept_at_ < sweep_every) {
        return;
    }
    swept_at_ = now;
    for (auto it = buckets_.begin(); it != buckets_.end();) {
        Bucket& bucket = it->second;
        it = bucket.waiting == 0 && bucket.rate.is_idle(now) ? buckets_.erase(it) : std::next(it);
    }
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who may call Databricks now, who waits, and who is told to come again: a RateBucket for each
// workspace and family, and before it a line for each connection that waits. The lines take turns,
// so a connection with a thousand calls gets no more than one with a single call. Each call waits
// to its own deadline and is refused at once where that cannot be met. Bounds: waiters_max calls
// wait in all (the longest line gives way); a bucket nobody uses is forgotten, so memory follows
// the workspaces in use, which are the operator's, not a caller's, to choose. Pure: time is an
// argument, monotonic (Instant). Not thread safe (proxy/governor locks).
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/rate_bucket.h"

namespace brickgate {

class RateLimiter {
 public:
    using Ticket = std::uint64_t;

    struct Options {
        std::vector<RateLimit> families = {};  // a Key's family is an index into it
        std::size_t waiters_max = 4096;        // a few hundred bytes each
    };
    struct Key {
        std::string_view workspace;
        std::size_t family = 0;
    };
    enum class Verdict : std::uint8_t { granted, queued, refused };
    struct Answer {
        Verdict verdict = Verdict::granted;
        Ticket ticket = 0;     // of a queued call, until pump() or cancel() settles it
        Milliseconds wait{0};  // queued: as it looks now; refused: before it is worth coming again
    };
    struct Settled {
        Ticket ticket = 0;
        Verdict verdict = Verdict::granted;  // never queued
        std::size_t family = 0;
        Milliseconds wait{0};  // granted: how long it waited; refused: as above
    };
    struct State {
        std::size_t family = 0;
        std::optional<double> per_second;  // nullopt: no limit now
        std::size_t waiting = 0;
        std::optional<Instant> held_until;
    };

    explicit RateLimiter(Options options) : options_(std::move(options)) {}

    // No published limit and nothing to learn: always granted. Never changes, so it needs no lock.
    bool is_free(std::size_t family) const;
    // `deadline` == now: granted or refused, never queued.
    Answer acquire(Key key, std::string_view connection, Instant now, Instant deadline);
    // For a dry run: says what acquire() would have done, and lets the call leave all the same. A
    // refused one does not count against those after it.
    Answer foresee(Key key, Instant now, Milliseconds patience);
    // When pump() has something to do; nullopt: not before the next acquire().
    std::optional<Instant> next_event(Instant now);
    std::vector<Settled> pump(Instant now);
    // False: it was settled already.
    bool cancel(Ticket ticket);
    // True: the rate was cut.
    bool observed(Key key, RateObservation const& seen, Instant now);

    std::vector<State> snapshot(std::string_view workspace, Instant now);
    std::size_t waiting() const { return waiters_.size(); }
    std::size_t buckets() const { return buckets_.size(); }

 private:
    struct Bucket;
    struct Line;
    struct Waiter {
        Ticket ticket = 0;
        Instant since{};
        Instant deadline{};
        Bucket* bucket = nullptr;
        std::list<Line>::iterator line{};
    };
    struct Line {
        std::string connection;
        std::list<Waiter> waiters;
    };
    struct Bucket {
        RateBucket rate;
        std::size_t family = 0;
        std::list<Line> lines = {};  // the front one's turn is next
        std::map<std::string, std::list<Line>::iterator, std::less<>> line_of = {};
        std::size_t waiting = 0;
    };
    struct Name {
        std::string workspace;
        std::size_t family = 0;
    };
    struct NameHash {
        using is_transparent = void;
        std::size_t operator()(Key const& key) const;
        std::size_t operator()(Name const& name) const {
            return (*this)(Key{name.workspace, name.family});
        }
    };
    struct NameEqual {
        using is_transparent = void;
        bool operator()(auto const& a, auto const& b) const {
            return a.family == b.family && a.workspace == b.workspace;
        }
    };

    Bucket& bucket_of(Key key, Instant now);
    Milliseconds wait_of_next(Bucket& bucket, std::string_view connection, Instant now);
    bool make_room(Bucket& bucket, std::string_view connection, Instant now);
    Ticket enqueue(Bucket& bucket, std::string_view connection, Instant now, Instant deadline);
    void remove(std::list<Waiter>::iterator waiter);
    void settle(std::list<Waiter>::iterator waiter, Verdict verdict, Milliseconds wait);
    void forget_idle(Instant now);

    Options options_;
    std::unordered_map<Name, Bucket, NameHash, NameEqual> buckets_;
    std::unordered_map<Ticket, std::list<Waiter>::iterator> waiters_;
    std::set<std::pair<Instant, Ticket>> deadlines_;
    std::set<Bucket*> busy_;  // those with waiters
    std::vector<Settled> settled_;
    Ticket last_ticket_ = 0;
    std::optional<Instant> swept_at_;
};

}  // namespace brickgate

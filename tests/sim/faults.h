// SPDX-License-Identifier: Apache-2.0
#pragma once
// What can go wrong. Each seed draws its own world: a fault is part of it with one chance in four,
// and then strikes with a probability of its own. So some seeds are quiet, most mix two or three
// kinds, and none drowns everything in noise.
#include <array>
#include <cstdint>
#include <string_view>

#include "sim/dice.h"

namespace brickgate::sim {

enum class Fault : std::uint8_t {
    connect_refused,    // no byte of ours left
    request_lost,       // on its way there
    answer_lost,        // after the server's commit: reset, or silence until our deadline
    answer_half,        // it breaks off
    answer_unreadable,  // complete, and no JSON
    failed_before,      // 500 or 502 before the commit
    failed_after,       // 500 or 504 after it, or before the server was done
    busy,               // 429 and 503
    page,               // a login page or an IP list's refusal, 403 or 200
    client_refused,     // invalid_client for a while
    slow,               // seconds instead of milliseconds
    store_refused,      // the commit failed
    store_unknown,      // the commit is done and its success was not heard of
    store_slow,
    sync_failed,  // fdatasync says no, and what is on the disk nobody knows
    spool_full,
    crash_at_door,   // kill -9 or power cut while a disk, a database or a host is waited for
    crash_anywhere,  // at any other moment
    stopped,         // in order, as by SIGTERM
    frozen,          // nothing of the process moves for up to a minute
    clock_set,       // the machine's wall clock is set
    admin_revokes,
    disconnects,
    signs_in_again,  // a person who is connected already
    rejected,        // a caller says that its token was refused
    count_
};
constexpr std::size_t fault_kinds = static_cast<std::size_t>(Fault::count_);

class Faults {
 public:
    explicit Faults(Dice& dice) : dice_(dice) {
        for (double& probability : probabilities_) {
            bool const on = dice_.chance(0.25);
            double const strength = 0.02 + 0.23 * dice_.unit();
            probability = on ? strength : 0.0;
        }
    }
    double operator[](Fault fault) const { return probabilities_[static_cast<std::size_t>(fault)]; }
    bool on(Fault fault) const { return (*this)[fault] > 0; }
    // Does it strike now? A share of less than one is for what is asked at every turn.
    bool strikes(Fault fault, double share = 1.0) {
        bool const now = on(fault) && !over_ && dice_.chance(share * (*this)[fault]);
        count_ += now ? 1 : 0;
        return now;
    }
    void end() { over_ = true; }  // from now on all is well
    bool over() const { return over_; }
    std::uint64_t struck() const { return count_; }

 private:
    Dice& dice_;
    std::array<double, fault_kinds> probabilities_{};
    std::uint64_t count_ = 0;
    bool over_ = false;
};

// Ways to break the protocol on purpose, to see that the judge notices.
enum class Break : std::uint32_t {
    none = 0,
    no_cas = 1,        // a save takes the place of whatever is there
    short_lease = 2,   // a lock that may be over while its holder still waits for the network
    late_send = 4,     // nothing keeps a stalled process from sending late
    no_spool = 8,      // an answer is kept by the database alone
    no_fence = 16,     // whoever saw a refusal writes it down
    no_hold = 32,      // an unresolved intent keeps nobody else away
    no_recovery = 64,  // a start looks at nothing that the run before left
    lazy_sync = 128,   // the spool says "on disk" before it is
    lazy_store = 256,  // the database says "committed" before it is
    eager = 512,       // after an unknown outcome the token is presented again at once
};
constexpr Break operator|(Break a, Break b) {
    return static_cast<Break>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr bool has(Break all, Break one) {
    return (static_cast<std::uint32_t>(all) & static_cast<std::uint32_t>(one)) != 0;
}

}  // namespace brickgate::sim

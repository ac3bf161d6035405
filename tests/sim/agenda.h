// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one queue of a simulation: what is going to happen, in the order of virtual time; at the same
// moment in an order that the seed chooses. Time passes only by taking the next thing from it.
#include <functional>
#include <map>
#include <tuple>

#include "sim/dice.h"

namespace brickgate::sim {

// Wall time can be set; steady time only passes.
class SimClock final : public Clock {
 public:
    Time now() const override { return Time(steady_.time_since_epoch() + offset_); }
    Instant steady() const override { return steady_; }
    void pass_to(Instant when) { steady_ = std::max(steady_, when); }
    void set(Milliseconds step) { offset_ += step; }
    Milliseconds offset() const { return offset_ - first_offset; }

 private:
    static constexpr Milliseconds first_offset = std::chrono::seconds(1'800'000'000);
    Instant steady_{};
    Milliseconds offset_ = first_offset;
};

class Agenda {
 public:
    using Act = std::move_only_function<void()>;

    Agenda(SimClock& clock, Dice& dice) : clock_(clock), dice_(dice) {}

    void at(Instant when, Act act) {
        acts_.emplace(std::tuple(std::max(when, clock_.steady()), dice_.next(), count_++),
                      std::move(act));
    }
    void after(Milliseconds wait, Act act) { at(clock_.steady() + wait, std::move(act)); }
    bool step() {  // false: nothing is going to happen any more
        if (acts_.empty()) {
            return false;
        }
        auto next = acts_.extract(acts_.begin());
        clock_.pass_to(std::get<0>(next.key()));
        steps_ += 1;
        next.mapped()();
        return true;
    }
    Instant now() const { return clock_.steady(); }
    std::uint64_t steps() const { return steps_; }

 private:
    SimClock& clock_;
    Dice& dice_;
    std::uint64_t count_ = 0;
    std::uint64_t steps_ = 0;
    std::map<std::tuple<Instant, std::uint64_t, std::uint64_t>, Act> acts_;
};

}  // namespace brickgate::sim

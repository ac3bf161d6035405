// SPDX-License-Identifier: Apache-2.0
#pragma once
// What happened, in order. Always as a hash, so that two runs of one seed can be compared bit for
// bit; as lines too where somebody is going to read them.
#include <fmt/format.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace brickgate::sim {

class Trace {
 public:
    explicit Trace(std::size_t lines_kept) : lines_kept_(lines_kept) {}

    void note(Instant at, std::string_view what, std::string_view who = {}, std::int64_t number = 0,
              std::string_view more = {}) {
        mix(at.time_since_epoch().count());
        mix(what);
        mix(who);
        mix(number);
        mix(more);
        if (lines_kept_ == 0) {
            return;
        }
        auto const ms = at.time_since_epoch().count();
        lines_.push_back(fmt::format("{:>10.3f} s  {:<22} {:<12} {:>6}  {}",
                                     static_cast<double>(ms) / 1000, what, who, number, more));
        if (lines_.size() > lines_kept_) {
            lines_.pop_front();
        }
    }
    std::uint64_t hash() const { return hash_; }
    std::deque<std::string> const& lines() const { return lines_; }

 private:
    void mix(std::uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001B3ULL ^ hash_ >> 29; }
    void mix(std::int64_t value) { mix(static_cast<std::uint64_t>(value)); }
    void mix(std::string_view text) {
        for (char const c : text) {
            mix(static_cast<std::uint64_t>(static_cast<unsigned char>(c)));
        }
        mix(std::uint64_t{text.size()});
    }

    std::size_t lines_kept_;
    std::uint64_t hash_ = 0xCBF29CE484222325;
    std::deque<std::string> lines_;
};

}  // namespace brickgate::sim

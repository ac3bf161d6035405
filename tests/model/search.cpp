// SPDX-License-Identifier: Apache-2.0
#include "model/search.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <ranges>
#include <string_view>
#include <vector>

#include "model/invariants.h"
#include "model/steps.h"

namespace brickgate::model {

namespace {

constexpr std::uint32_t nowhere = std::numeric_limits<std::uint32_t>::max();

struct Seen {
    State state;
    std::uint32_t parent;
    Step step;
    Byte node;
};

// The states in the order in which they were found, and a hash table of their places.
class Atlas {
 public:
    Atlas() : places_(1 << 12, nowhere) {}

    bool add(Seen const& seen) {
        if (all_.size() * 2 >= places_.size()) {
            grow();
        }
        std::uint32_t& place = place_of(seen.state);
        if (place != nowhere) {
            return false;
        }
        place = static_cast<std::uint32_t>(all_.size());
        all_.push_back(seen);
        return true;
    }
    std::size_t size() const { return all_.size(); }
    Seen const& operator[](std::size_t i) const { return all_[i]; }

 private:
    static std::size_t hash(State const& state) {
        std::string_view const bytes(reinterpret_cast<char const*>(&state), sizeof state);
        return std::hash<std::string_view>()(bytes);
    }
    std::uint32_t& place_of(State const& state) {
        std::size_t const mask = places_.size() - 1;
        std::size_t i = hash(state) & mask;
        while (places_[i] != nowhere &&
               std::memcmp(&all_[places_[i]].state, &state, sizeof state) != 0) {
            i = (i + 1) & mask;
        }
        return places_[i];
    }
    void grow() {
        places_.assign(places_.size() * 4, nowhere);
        for (std::size_t i = 0; i < all_.size(); ++i) {
            place_of(all_[i].state) = static_cast<std::uint32_t>(i);
        }
    }

    std::vector<Seen> all_;
    std::vector<std::uint32_t> places_;
};

std::string trace_to(Atlas const& atlas, std::size_t last, Broken const& broken) {
    std::vector<std::string> lines;
    for (std::size_t i = last; i != 0; i = atlas[i].parent) {
        lines.push_back(describe({atlas[i].state, atlas[i].step, atlas[i].node}));
    }
    std::string out;
    std::size_t number = 0;
    for (auto const& line : lines | std::views::reverse) {
        out += std::to_string(++number) + ". " + line + "\n";
    }
    out += broken.lost ? "=> the live token is lost\n"
           : broken.false_reauth
               ? "=> a person is asked to sign in although a good token is there\n"
           : broken.twice ? "=> one token is presented twice at a time\n"
                          : "=> the row does not tell the truth about its token\n";
    return out;
}

void count(Found& found, Broken const& broken) {
    found.lost += broken.lost ? 1 : 0;
    found.false_reauth += broken.false_reauth ? 1 : 0;
    found.twice += broken.twice ? 1 : 0;
    found.untrue += broken.untrue ? 1 : 0;
    found.in_the_window += broken.in_the_window ? 1 : 0;
}

}  // namespace

Found search(Setting const& setting) {
    Found found;
    Atlas atlas;
    State first;
    first.left = setting.faults;
    atlas.add({first, nowhere, Step::start, 2});
    std::vector<Successor> next;
    for (std::size_t i = 0; i < atlas.size(); ++i) {
        State const state = atlas[i].state;
        Broken const broken = broken_in(state, setting);
        count(found, broken);
        if (broken.any() && found.trace.empty()) {
            found.trace = trace_to(atlas, i, broken);
        }
        next.clear();
        successors(state, setting, next);
        for (auto const& step : next) {
            atlas.add({step.state, static_cast<std::uint32_t>(i), step.step, step.node});
        }
    }
    found.states = atlas.size();
    return found;
}

}  // namespace brickgate::model

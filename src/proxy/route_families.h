// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which of Databricks' limits a call counts against. Databricks limits families of endpoints, each
// for the whole workspace (databricks-facts 7.2), so a call is sorted by method and path. The table
// is app/load_rate_limits' (assets/rate_limits.toml and the operator's own file). Pure; built once,
// then read from any thread.
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace brickgate {

struct RouteFamily {
    std::string name;                       // a label of metrics: [a-z][a-z0-9_]*
    std::vector<std::string> methods = {};  // empty: any; GET means HEAD too
    // Whole segments: "*" stands for one, a trailing "/**" for any rest, also none.
    std::vector<std::string> paths = {};
    double per_second = 0;  // as published; 0: nothing is published
    double burst = 1;       // calls that may leave at once after a pause
    // Does a 429 say something about all of the family? Not where each warehouse or endpoint has
    // a limit of its own.
    bool adapts = true;
};

class RouteFamilies {
 public:
    // Sixteen segments tell every family apart; load_rate_limits refuses longer patterns.
    static constexpr std::size_t segments_max = 16;

    // The first that fits wins. A family called "other" takes what is left, wherever it stands;
    // without one it is added, unlimited.
    explicit RouteFamilies(std::vector<RouteFamily> families = {});

    // `raw_path` is as it goes onto the wire, still encoded; %6a is j all the same.
    std::size_t index_of(std::string_view method, std::string_view raw_path) const;
    RouteFamily const& family_of(std::string_view method, std::string_view raw_path) const {
        return families_[index_of(method, raw_path)];
    }
    std::span<RouteFamily const> all() const { return families_; }

 private:
    struct Pattern {
        std::size_t family = 0;
        std::vector<std::string> segments = {};
        bool any_rest = false;
    };

    std::vector<RouteFamily> families_;  // "other" is the last
    std::vector<Pattern> patterns_;      // in the order of their families
};

}  // namespace brickgate

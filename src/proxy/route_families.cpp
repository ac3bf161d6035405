// SPDX-License-Identifier: Apache-2.0
#include "proxy/route_families.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"

namespace brickgate {

namespace {

// The segments of one path, in place. Empty ones are skipped: a server that folds "//" must not
// be asked more often than one that does not.
struct Segments {
    explicit Segments(std::string_view path) {
        path = path.substr(0, path.find_first_of("?#"));
        encoded = path.find('%') != std::string_view::npos;
        while (!path.empty()) {
            auto const end = std::min(path.find('/'), path.size());
            if (end > 0) {
                add(path.substr(0, end));
            }
            path.remove_prefix(std::min(end + 1, path.size()));
        }
    }

    void add(std::string_view segment) {
        if (count < at.size()) {
            at[count] = segment;
        }
        count += 1;  // of a deeper path only that it is deeper matters
    }

    std::array<std::string_view, RouteFamilies::segments_max> at;
    std::size_t count = 0;
    bool encoded = false;  // any of them
};

bool reads_as(std::string_view segment, std::string_view wanted) {
    auto const decoded = percent_decode(segment);
    return decoded && *decoded == wanted;
}

bool takes(RouteFamily const& family, std::string_view method) {
    std::string_view const wanted = method == "HEAD" ? "GET" : method;
    return family.methods.empty() ||
           std::ranges::any_of(family.methods, [&](std::string const& known) {
               return known == wanted || known == method;
           });
}

bool fits(std::vector<std::string> const& wanted, bool any_rest, Segments const& given) {
    if (any_rest ? given.count < wanted.size() : given.count != wanted.size()) {
        return false;
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        bool const same =
            given.encoded ? reads_as(given.at[i], wanted[i]) : given.at[i] == wanted[i];
        if (!same && wanted[i] != "*") {
            return false;
        }
    }
    return true;
}

}  // namespace

RouteFamilies::RouteFamilies(std::vector<RouteFamily> families) : families_(std::move(families)) {
    auto const is_other = [](RouteFamily const& family) { return family.name == "other"; };
    RouteFamily other{.name = "other", .adapts = false};
    if (auto const found = std::ranges::find_if(families_, is_other); found != families_.end()) {
        other = *found;
    }
    std::erase_if(families_, is_other);
    families_.push_back(std::move(other));
    for (std::size_t i = 0; i + 1 < families_.size(); ++i) {
        for (std::string_view path : families_[i].paths) {
            Pattern pattern{.family = i};
            pattern.any_rest = path.ends_with("/**");
            path.remove_suffix(pattern.any_rest ? 3 : 0);
            Segments const segments(path);
            auto const known = std::min(segments.count, segments_max);
            pattern.segments.assign(segments.at.begin(), segments.at.begin() + known);
            patterns_.push_back(std::move(pattern));
        }
    }
}

std::size_t RouteFamilies::index_of(std::string_view method, std::string_view raw_path) const {
    Segments const segments(raw_path);
    for (Pattern const& pattern : patterns_) {
        if (fits(pattern.segments, pattern.any_rest, segments) &&
            takes(families_[pattern.family], method)) {
            return pattern.family;
        }
    }
    return families_.size() - 1;
}

}  // namespace brickgate

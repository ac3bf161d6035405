// SPDX-License-Identifier: Apache-2.0
#include "app/load_rate_limits.h"

#include <toml++/toml.h>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "base/encoding.h"

namespace brickgate {

namespace {

constexpr std::size_t file_bytes_max = 256 * 1024;  // the shipped table is 5 KiB
constexpr std::size_t families_max = 200;           // each has three series of metrics
constexpr std::size_t paths_max = 64;               // of one family; every call looks through them
constexpr std::size_t name_bytes_max = 40;
constexpr double per_second_max = 1e6;
constexpr std::string_view methods_known[] = {"GET",   "HEAD",   "POST",   "PUT",
                                              "PATCH", "DELETE", "OPTIONS"};
// Unless the table says how many calls may leave at once: half a second's worth, or of a limit by
// the minute a twentieth.
constexpr double burst_of_second = 0.5;
constexpr double burst_of_minute = 0.05;

using Families = std::vector<RouteFamily>;

RouteFamily* find(Families& families, std::string_view name) {
    auto const found = std::ranges::find(families, name, &RouteFamily::name);
    return found == families.end() ? nullptr : &*found;
}

bool is_name(std::string_view name) {
    auto const fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    return !name.empty() && name.size() <= name_bytes_max && name[0] >= 'a' && name[0] <= 'z' &&
           std::ranges::all_of(name, fits);
}

// nullptr, or what is wrong with it.
char const* fault_of_path(std::string_view path) {
    if (!path.starts_with('/')) {
        return "must begin with '/'";
    }
    path.remove_suffix(path.ends_with("/**") ? 3 : 0);
    std::size_t segments = 0;
    while (!path.empty()) {
        path.remove_prefix(1);
        auto const segment = path.substr(0, std::min(path.find('/'), path.size()));
        if (segment.empty()) {
            return "has an empty segment";
        }
        if (segment != "*" && segment.find_first_of("*?#%") != std::string_view::npos) {
            return "may hold '*' only as a whole segment, '/**' only at its end, and no '?', '#' "
                   "or '%'";
        }
        path.remove_prefix(segment.size());
        segments += 1;
    }
    return segments > RouteFamilies::segments_max ? "has more than 16 segments" : nullptr;
}

// One file. The first fault is thrown as an Error and caught in read(): TOML throws too.
class Table {
 public:
    // `shipped`: what families of the same name fall back to.
    Table(RateLimitsText const& file, Families const& shipped) : file_(file), shipped_(shipped) {}

    Result<Families> read() {
        try {
            toml::table const root = toml::parse(file_.text);
            for (auto const& [key, node] : root) {
                auto const* const list = node.as_array();
                if (key.str() != "family" || !list) {
                    complain(node, "only [[family]] tables stand here");
                }
                for (auto const& entry : *list) {
                    take(entry);
                }
            }
        } catch (toml::parse_error const& error) {
            return fail(located(error.source(), std::string(error.description())));
        } catch (Error const& error) {
            return fail(error);
        }
        return std::move(families_);
    }

 private:
    Error located(toml::source_region const& where, std::string const& what) const {
        return Error(ErrorCode::config_invalid,
                     file_.name + ", line " + std::to_string(where.begin.line) + ": " + what);
    }
    [[noreturn]] void complain(toml::node const& node, std::string const& what) const {
        std::string const whose = family_.empty() ? "" : "family '" + family_ + "': ";
        throw located(node.source(), whose + what);
    }

    void take(toml::node const& entry) {
        family_.clear();
        auto const* const table = entry.as_table();
        if (!table) {
            complain(entry, "a family is a table: [[family]]");
        }
        auto const* const name = table->get("name");
        if (!name || !name->is_string() || !is_name(name->as_string()->get())) {
            complain(name ? *name : entry, "a family needs a name of a-z, 0-9 and _, 40 at most");
        }
        family_ = name->as_string()->get();
        if (find(families_, family_)) {
            complain(*name, "stands here twice");
        }
        if (families_.size() >= families_max) {
            complain(entry, "there are more than 200 families");
        }
        auto const before = std::ranges::find(shipped_, family_, &RouteFamily::name);
        RouteFamily family = before == shipped_.end() ? RouteFamily{} : *before;
        family.name = family_;
        for (auto const& [key, value] : *table) {
            set(family, key.str(), value);
        }
        finish(family, *table);
        families_.push_back(std::move(family));
    }

    void set(RouteFamily& family, std::string_view key, toml::node const& value) const {
        if (key == "methods") {
            family.methods = texts(value);
            for (std::string const& method : family.methods) {
                if (std::ranges::find(methods_known, method) == std::end(methods_known)) {
                    complain(value, "'" + clean_text(method, 20) +
                                        "' is no method (they are written in capitals)");
                }
            }
        } else if (key == "paths") {
            family.paths = texts(value);
            for (std::string const& path : family.paths) {
                if (char const* const fault = fault_of_path(path)) {
                    complain(value, "path '" + clean_text(path, 80) + "' " + fault);
                }
            }
        } else if (key == "adapts") {
            if (!value.is_boolean()) {
                complain(value, "adapts must be true or false");
            }
            family.adapts = value.as_boolean()->get();
        } else if (key != "name" && key != "per_second" && key != "per_minute" && key != "burst") {
            complain(value, "there is no '" + clean_text(key, 40) +
                                "'; a family has name, methods, paths, per_second or per_minute, "
                                "burst, adapts");
        }
    }

    std::vector<std::string> texts(toml::node const& value) const {
        auto const* const list = value.as_array();
        if (!list || list->empty() || list->size() > paths_max) {
            complain(value, "methods and paths are lists of 1 to 64 texts");
        }
        std::vector<std::string> out;
        for (auto const& entry : *list) {
            if (!entry.is_string()) {
                complain(entry, "methods and paths are lists of 1 to 64 texts");
            }
            out.push_back(entry.as_string()->get());
        }
        return out;
    }

    // Limit and burst belong together; and a family must say which calls are its own.
    void finish(RouteFamily& family, toml::table const& table) const {
        if (family.name == "other" && table.contains("paths")) {
            complain(*table.get("paths"), "takes whatever no other family does, and has no paths");
        }
        if (family.paths.empty() && family.name != "other") {
            complain(table, "needs paths");
        }
        auto const* const by_second = table.get("per_second");
        auto const* const by_minute = table.get("per_minute");
        if (by_second && by_minute) {
            complain(*by_minute, "has per_second and per_minute; one of them is enough");
        }
        if (by_second) {
            family.per_second = number(*by_second, "per_second", 0);
            family.burst = std::max(1.0, family.per_second * burst_of_second);
        }
        if (by_minute) {
            double const count = number(*by_minute, "per_minute", 0);
            family.per_second = count / 60;
            family.burst = std::max(1.0, count * burst_of_minute);
        }
        if (auto const* const burst = table.get("burst")) {
            family.burst = number(*burst, "burst", 1);
        }
    }

    double number(toml::node const& node, std::string const& what, double least) const {
        auto const value = node.value<double>();  // an integer too
        if (!value || !node.is_number() || !std::isfinite(*value) || *value < least ||
            *value <= 0 || *value > per_second_max) {
            complain(node, what + " must be a number " +
                               (least > 0 ? "of at least 1" : "greater than 0") +
                               ", and a million at most");
        }
        return *value;
    }

    RateLimitsText const& file_;
    Families const& shipped_;
    Families families_;
    std::string family_;  // the one being read
};

}  // namespace

Result<RouteFamilies> parse_rate_limits(RateLimitsText const& shipped, RateLimitsText const& own) {
    auto table = Table(shipped, {}).read();
    if (!table) {
        return fail(table.error());
    }
    if (own.name.empty()) {
        return RouteFamilies(std::move(*table));
    }
    auto wanted = Table(own, *table).read();
    if (!wanted) {
        return fail(wanted.error());
    }
    Families families;
    for (RouteFamily& family : *wanted) {
        if (RouteFamily* const before = find(*table, family.name)) {
            *before = std::move(family);
        } else {
            families.push_back(std::move(family));
        }
    }
    std::ranges::move(*table, std::back_inserter(families));
    return RouteFamilies(std::move(families));
}

Result<RouteFamilies> load_rate_limits(std::string_view shipped, std::string const& own_file) {
    RateLimitsText const built_in{.text = shipped, .name = "built-in rate_limits.toml"};
    if (own_file.empty()) {
        return parse_rate_limits(built_in, {});
    }
    std::error_code ec;
    std::ifstream in(own_file, std::ios::binary);
    if (!in || !std::filesystem::is_regular_file(own_file, ec)) {
        return fail(ErrorCode::config_invalid,
                    "The file of proxy.rate_limits_file, " + own_file + ", cannot be read.");
    }
    if (std::filesystem::file_size(own_file, ec) > file_bytes_max) {
        return fail(ErrorCode::config_invalid,
                    "The file of proxy.rate_limits_file, " + own_file + ", is over 256 KiB.");
    }
    std::string const text{std::istreambuf_iterator<char>(in), {}};
    return parse_rate_limits(built_in, {.text = text, .name = own_file});
}

}  // namespace brickgate

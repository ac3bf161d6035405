// SPDX-License-Identifier: Apache-2.0
#include "net/router.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/encoding.h"
#include "net/error_response.h"

namespace brickgate {

namespace {

bool is_parameter(std::string_view segment) {
    return segment.starts_with('{');
}

bool is_dots(std::string_view segment) {
    return segment == "." || segment == "..";
}

bool has_forbidden_character(std::string_view text) {
    return std::ranges::any_of(text, [](char c) {
        auto const byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f || c == '/' || c == '\\';
    });
}

// A servlet container behind us would cut "..;x" to "..": refuse it here.
bool hides_dots(std::string_view segment) {
    return is_dots(segment.substr(0, segment.find(';'))) &&
           segment.find(';') != std::string_view::npos;
}

bool is_safe(std::string_view decoded) {
    auto const twice = percent_decode(decoded);
    return !has_forbidden_character(decoded) && is_valid_utf8(decoded) && !is_dots(decoded) &&
           !hides_dots(decoded) && !(twice && (is_dots(*twice) || has_forbidden_character(*twice)));
}

std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> out;
    while (!path.empty()) {
        path.remove_prefix(1);
        auto const end = std::min(path.find('/'), path.size());
        out.emplace_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    if (out.size() == 1 && out[0].empty()) {
        out.clear();  // "/"
    }
    return out;
}

bool fits(std::vector<std::string> const& pattern, std::vector<std::string> const& path) {
    return std::ranges::equal(pattern, path,
                              [](std::string const& wanted, std::string const& given) {
                                  return is_parameter(wanted) ? !given.empty() : wanted == given;
                              });
}

PathParams params_of(std::vector<std::string> const& pattern,
                     std::vector<std::string> const& path) {
    PathParams out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (is_parameter(pattern[i])) {
            out.add(pattern[i].substr(1, pattern[i].size() - 2), path[i]);
        }
    }
    return out;
}

bool is_visible(Visibility route, ListenerKind listener) {
    switch (listener) {
        case ListenerKind::both:
        case ListenerKind::local_socket:
            return true;
        case ListenerKind::public_:
            return route != Visibility::private_;
        case ListenerKind::private_:
            return route != Visibility::public_;
    }
    return false;
}

bool takes(Route const& route, std::string_view method) {
    return route.method == method || (route.head && method == "HEAD");
}

std::string joined(std::set<std::string> const& methods) {
    std::string out;
    for (std::string const& method : methods) {
        out += (out.empty() ? "" : ", ") + method;
    }
    return out;
}

}  // namespace

std::string_view PathParams::get(std::string_view name) const {
    for (auto const& [key, value] : values_) {
        if (key == name) {
            return value;
        }
    }
    return {};
}

Result<std::vector<std::string>> split_path(std::string_view raw_path) {
    auto const refused = fail(ErrorCode::invalid_request, "The path of the request is malformed.");
    if (!raw_path.starts_with('/')) {
        return refused;
    }
    std::vector<std::string> segments = split(raw_path);
    for (std::size_t i = 0; i < segments.size(); ++i) {
        auto decoded = percent_decode(segments[i]);
        bool const empty_inside = segments[i].empty() && i + 1 < segments.size();
        if (!decoded || empty_inside || !is_safe(*decoded)) {
            return refused;
        }
        segments[i] = std::move(*decoded);
    }
    return segments;
}

Router::Router(std::string base_path, ErrorRenderer render)
    : base_path_(std::move(base_path)), render_(std::move(render)) {
    if (!render_) {
        render_ = [](ServerRequest const&, Error const& error, std::optional<Audience>) {
            return error_response(error);
        };
    }
}

void Router::add(Route route) {
    patterns_.push_back({split(route.pattern)});
    routes_.push_back(std::move(route));
}

Task<ServerResponse> Router::handle(ServerRequest const& request) const {
    auto const not_found = [&] {
        return render_(request, Error(ErrorCode::not_found, "There is nothing at this address."),
                       std::nullopt);
    };
    std::string_view path = request.path;
    if (!base_path_.empty()) {
        std::string_view const rest = path.substr(std::min(base_path_.size(), path.size()));
        if (!path.starts_with(base_path_) || (!rest.empty() && !rest.starts_with('/'))) {
            co_return not_found();
        }
        path = rest.empty() ? "/" : rest;
    }
    auto const segments = split_path(path);
    if (!segments) {
        co_return render_(request, segments.error(), std::nullopt);
    }
    std::set<std::string> allowed;
    std::optional<Audience> audience;
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        Route const& route = routes_[i];
        if (!fits(patterns_[i].segments, *segments) ||
            !is_visible(route.visibility, request.listener)) {
            continue;
        }
        if (takes(route, request.method)) {
            co_return co_await route.handler(request, params_of(patterns_[i].segments, *segments));
        }
        audience = route.audience;
        allowed.insert(route.method);
        if (route.head) {
            allowed.insert("HEAD");
        }
    }
    if (allowed.empty()) {
        co_return not_found();
    }
    Error const wrong_method(ErrorCode::method_not_allowed,
                             "This address does not take this method.");
    ServerResponse response = render_(request, wrong_method, audience);
    response.headers.add("Allow", joined(allowed));
    co_return response;
}

}  // namespace brickgate

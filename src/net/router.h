// SPDX-License-Identifier: Apache-2.0
#pragma once
// Method and path to handler. Paths are matched by whole segments and never normalised: a dot
// segment, an encoded slash, a control character or a bad escape is refused before any route is
// looked at (T37's rule). 404, 405 with Allow and 400 are made here. Filled at start, then
// immutable; any thread.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "net/server_message.h"

namespace brickgate {

class PathParams {
 public:
    void add(std::string name, std::string value) {
        values_.emplace_back(std::move(name), std::move(value));
    }
    // Decoded; empty if the pattern has no such name.
    std::string_view get(std::string_view name) const;

 private:
    std::vector<std::pair<std::string, std::string>> values_;
};

enum class Audience : std::uint8_t { browser, api };  // pages and their headers, or JSON
enum class Visibility : std::uint8_t {
    public_,
    private_,
    both
};  // of which listener it is a route

using RouteHandler = std::function<Task<ServerResponse>(ServerRequest const&, PathParams)>;

struct Route {
    std::string method = {};
    std::string pattern = {};  // "/v1/connections/{id}/token"
    Audience audience = Audience::api;
    Visibility visibility = Visibility::private_;
    bool head = false;  // GET only: HEAD is answered too, without the body
    RouteHandler handler = {};
};

// Makes the answer to what no route answers: JSON unless the server layer brings pages. `audience`:
// of the route at this path, where there is one and only the method is wrong.
using ErrorRenderer = std::function<ServerResponse(ServerRequest const&, Error const&,
                                                   std::optional<Audience> audience)>;

class Router {
 public:
    // `base_path`: "" or "/gate": what the public URL has before every path of ours.
    explicit Router(std::string base_path = {}, ErrorRenderer render = {});

    void add(Route route);
    std::vector<Route> const& routes() const { return routes_; }
    Task<ServerResponse> handle(ServerRequest const& request) const;

 private:
    struct Pattern {
        std::vector<std::string> segments;  // "{id}" is a parameter
    };
    std::string base_path_;
    ErrorRenderer render_;
    std::vector<Route> routes_;
    std::vector<Pattern> patterns_;
};

// The segments of a raw path, decoded; an error where the path is one we do not touch.
Result<std::vector<std::string>> split_path(std::string_view raw_path);

}  // namespace brickgate

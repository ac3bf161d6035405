// SPDX-License-Identifier: Apache-2.0
#include "server/capabilities_api.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/log.h"
#include "net/bridge.h"
#include "net/error_response.h"
#include "proxy/target_rules.h"
#include "server/access.h"
#include "server/api_json.h"

namespace brickgate {

namespace {

constexpr std::array<std::string_view, 5> members{"connection", "name", "methods", "paths",
                                                  "expires_in"};

json::value time_or_null(std::optional<Time> const& time) {
    return time ? json::value(to_rfc3339(*time)) : json::value(nullptr);
}

json::array texts(std::vector<std::string> const& list) {
    json::array out;
    for (auto const& text : list) {
        out.push_back(json::value(text));
    }
    return out;
}

json::object capability_json(Capability const& row) {
    json::object out;
    out["id"] = row.id;
    out["connection"] = row.connection.value();
    out["name"] = row.name;
    out["methods"] = texts(row.methods);
    out["paths"] = texts(row.paths);
    out["not_after"] = time_or_null(row.not_after);
    out["created_at"] = to_rfc3339(row.created_at);
    out["revoked_at"] = time_or_null(row.revoked_at);
    out["leaked_at"] = time_or_null(row.leaked_at);
    return out;
}

std::unexpected<Error> wrong(std::string message) {
    return fail(ErrorCode::invalid_request, std::move(message));
}

// An absent list and an empty one both say "any", as the answers do.
Result<std::vector<std::string>> list_at(json::object const& body, std::string_view name) {
    std::vector<std::string> out;
    auto const* const value = body.if_contains(name);
    if (!value || value->is_null()) {
        return out;
    }
    std::string const complaint = std::string(name) + " is a list of texts.";
    auto const* const list = value->if_array();
    if (!list) {
        return wrong(complaint);
    }
    for (auto const& item : *list) {
        if (!item.is_string()) {
            return wrong(complaint);
        }
        out.emplace_back(item.get_string());
    }
    return out;
}

// A prefix that no call could have would be a limit that nobody notices: a misspelt one.
bool reaches_something(std::string_view path) {
    constexpr std::array<std::string_view, 4> roots{"/api/", "/serving-endpoints/", "/sql/1.0/",
                                                    "/sql/protocolv1/"};
    return is_proxied_path(path) ||
           std::ranges::any_of(roots, [&](auto root) { return path_within(root, path); });
}

}  // namespace

Result<CapabilityWish> capability_wish_of(std::string_view body) {
    auto const object = body_object(body);
    if (!object) {
        return fail(object.error());
    }
    for (auto const& member : *object) {
        if (std::ranges::find(members, std::string_view(member.key())) == members.end()) {
            return wrong(
                "A capability has connection, name, methods, paths and expires_in; the "
                "body has something else.");
        }
    }
    auto const connection = string_at(*object, "connection");
    if (!connection || connection->empty()) {
        return wrong("connection is the id of a connection.");
    }
    CapabilityWish wish;
    wish.connection = ConnectionId(std::string(*connection));
    if (auto const* const name = object->if_contains("name"); name && !name->is_null()) {
        if (!name->is_string()) {
            return wrong("name is a text.");
        }
        wish.name = std::string(name->get_string());
    }
    auto methods = list_at(*object, "methods");
    auto paths = list_at(*object, "paths");
    if (!methods || !paths) {
        return fail(methods ? paths.error() : methods.error());
    }
    for (auto const& path : *paths) {
        if (!reaches_something(path)) {
            return wrong("'" + clean_text(path, 80) +
                         "' is no path of a workspace that is called through here: they begin "
                         "with /api, /sql or /serving-endpoints.");
        }
    }
    wish.methods = std::move(*methods);
    wish.paths = std::move(*paths);
    if (auto const* const life = object->if_contains("expires_in"); life && !life->is_null()) {
        auto const seconds = integer_at(*object, "expires_in");
        if (!seconds) {
            return wrong("expires_in is a whole number of seconds.");
        }
        wish.expires_in = Seconds(*seconds);
    }
    return wish;
}

void CapabilitiesApi::add_to(Router& router) {
    auto const add = [&](std::string method, std::string pattern, RouteHandler handler) {
        bool const head = method == "GET";
        router.add({std::move(method), std::move(pattern), Audience::api, Visibility::private_,
                    head, std::move(handler)});
    };
    add("POST", "/v1/capabilities",
        [this](auto const& request, PathParams) { return create(request); });
    add("GET", "/v1/capabilities",
        [this](auto const& request, PathParams) { return list(request); });
    add("DELETE", "/v1/capabilities/{id}", [this](auto const& request, PathParams params) {
        return revoke(request, std::move(params));
    });
}

Task<ServerResponse> CapabilitiesApi::create(ServerRequest const& request) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto wish = capability_wish_of(request.body);
    if (!wish) {
        co_return error_response(wish.error());
    }
    auto task = parts_.capabilities.create(std::move(*wish));
    auto const created = co_await run_on(parts_.control, std::move(task));
    if (!created) {
        co_return error_response(created.error());
    }
    log(LogLevel::info, "capability_made", "A capability was made.",
        {{"capability", created->row.id},
         {"connection", created->row.connection.value()},
         {"caller", caller->key_id}});
    auto out = capability_json(created->row);
    created->capability.expose([&](std::string_view text) { out["capability"] = text; });
    co_return json_answer(out, 201);
}

Task<ServerResponse> CapabilitiesApi::list(ServerRequest const& request) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const fields = form_decode(request.query);
    if (!fields) {
        co_return error_response(
            Error(ErrorCode::invalid_request, "The query has a broken escape."));
    }
    auto const limit = page_limit_of(*fields);
    if (!limit) {
        co_return error_response(limit.error());
    }
    std::optional<ConnectionId> of;
    if (auto const connection = query_value(*fields, "connection")) {
        of = ConnectionId(*connection);
    }
    auto const after = query_value(*fields, "cursor").value_or("");
    auto const rows = parts_.capabilities.list(of, after, *limit);
    json::object out;
    json::array items;
    for (auto const& row : rows) {
        items.push_back(capability_json(row));
    }
    out["items"] = std::move(items);
    bool const more = rows.size() == *limit;
    out["next_cursor"] = more ? json::value(rows.back().cursor()) : json::value(nullptr);
    co_return json_answer(out);
}

Task<ServerResponse> CapabilitiesApi::revoke(ServerRequest const& request, PathParams params) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    std::string const id(params.get("id"));
    auto task = parts_.capabilities.revoke(id);
    auto const revoked = co_await run_on(parts_.control, std::move(task));
    if (!revoked) {
        co_return error_response(revoked.error());
    }
    if (!*revoked) {
        co_return error_response(
            Error(ErrorCode::not_found, "There is no such capability, or it was revoked before."));
    }
    log(LogLevel::info, "capability_revoked", "A capability was revoked.",
        {{"capability", id}, {"caller", caller->key_id}});
    json::object out;
    out["id"] = id;
    out["revoked"] = true;
    co_return json_answer(out);
}

}  // namespace brickgate

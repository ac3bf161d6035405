// SPDX-License-Identifier: Apache-2.0
// Connections as rows: list, show, explain, refresh, disconnect.
#include "base/json.h"
#include "base/log.h"
#include "databricks/workspace.h"
#include "events/event.h"
#include "net/bridge.h"
#include "net/error_response.h"
#include "proxy/governor.h"
#include "server/access.h"
#include "server/api.h"
#include "server/api_json.h"

namespace brickgate {

namespace {

constexpr std::size_t events_shown = 20;
constexpr std::int64_t if_older_than_max = 3600;  // most tokens live no longer
// databricks-facts 4.1, the only place that is documented.
constexpr std::string_view where_grants_end =
    "An account admin ends it in Databricks' account console, under Settings, App connections. "
    "Otherwise it ends by itself when its refresh token has gone unused for as long as the app's "
    "policy says.";

Result<ConnectionFilter> filter_of(std::string_view query) {
    auto const fields = form_decode(query);
    if (!fields) {
        return fail(ErrorCode::invalid_request, "The query has a broken escape.");
    }
    ConnectionFilter filter;
    filter.subject = query_value(*fields, "subject");
    if (auto const typed = query_value(*fields, "workspace")) {
        auto const host = TypedHost::parse(*typed);
        if (!host) {
            return fail(ErrorCode::invalid_request, "workspace: " + host.error().message());
        }
        filter.workspace = host->origin();
    }
    filter.after = query_value(*fields, "cursor").value_or("");
    if (auto const status = query_value(*fields, "status")) {
        filter.state = connection_state_from(*status);
        if (!filter.state) {
            using enum ConnectionState;
            std::string names;
            for (auto const state : {pending, active, uncertain, host_blocked, reauth_required,
                                     quarantined, disconnected}) {
                names.append(names.empty() ? "" : ", ").append(to_string(state));
            }
            return fail(ErrorCode::invalid_request,
                        "There is no such status; there are " + names + ".");
        }
    }
    auto const limit = page_limit_of(*fields);
    if (!limit) {
        return fail(limit.error());
    }
    filter.limit = *limit;
    return filter;
}

// {"if_older_than": SECONDS}, which may be left out: the age below which a token is young enough.
Result<Seconds> age_wanted(std::string_view body) {
    if (body.empty()) {
        return Seconds(0);
    }
    auto const wish = body_object(body);
    if (!wish) {
        return fail(wish.error());
    }
    auto const seconds = integer_at(*wish, "if_older_than").value_or(0);
    bool const none = !wish->contains("if_older_than");
    if (!none && (seconds < 1 || seconds > if_older_than_max)) {
        return fail(ErrorCode::invalid_request, "if_older_than is a number of seconds, 1 to 3600.");
    }
    return Seconds(seconds);
}

// The families of Databricks' limits that this workspace's calls met lately.
json::array rate_limits_json(Governor const* governor, std::string const& workspace) {
    json::array out;
    if (!governor) {
        return out;
    }
    auto const number = [](std::optional<double> const& rate) {
        return rate ? json::value(*rate) : json::value(nullptr);
    };
    for (auto const& state : governor->snapshot(workspace)) {
        out.push_back(json::object{
            {"family", state.family},
            {"published_per_second", number(state.published_per_second)},
            {"current_per_second", number(state.current_per_second)},
            {"waiting", state.waiting},
            {"held_until", state.held_until ? json::value(to_rfc3339(*state.held_until))
                                            : json::value(nullptr)}});
    }
    return out;
}

}  // namespace

Task<ServerResponse> Api::list(ServerRequest const& request) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto filter = filter_of(request.query);
    if (!filter) {
        co_return error_response(filter.error());
    }
    std::vector<Connection> rows;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto found = store.list_connections(*filter);
        if (!found) {
            return fail(found.error());
        }
        rows = std::move(*found);
        return {};
    };
    auto task = parts_.vault.transact(job);
    auto const ran = co_await run_on(parts_.control, std::move(task));
    if (!ran) {
        co_return error_response(ran.error());
    }
    json::object out;
    json::array items;
    for (auto const& row : rows) {
        items.push_back(connection_json(row));
    }
    out["items"] = std::move(items);
    bool const more = rows.size() == filter->limit;
    out["next_cursor"] = more ? json::value(rows.back().id.value()) : json::value(nullptr);
    co_return json_answer(out);
}

Task<ServerResponse> Api::show(ServerRequest const& request, Params params) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const row = co_await find(std::string(params.get("id")));
    if (!row) {
        co_return error_response(row.error());
    }
    co_return json_answer(connection_json(*row));
}

Task<ServerResponse> Api::explained(ServerRequest const& request, Params params) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const row = co_await find(std::string(params.get("id")));
    if (!row) {
        co_return error_response(row.error());
    }
    std::vector<EventRow> events;
    StoreJob const job = [&](StoreTransaction& store) -> Result<void> {
        auto found = store.events_of(row->id, events_shown);
        if (!found) {
            return fail(found.error());
        }
        events = std::move(*found);
        return {};
    };
    auto task = parts_.vault.transact(job);
    auto const ran = co_await run_on(parts_.control, std::move(task));
    if (!ran) {
        co_return error_response(ran.error());
    }
    auto const explanation = explain(
        *row, parts_.refresher.gatekeeper().fault_of(row->registration), parts_.clock.now());
    auto out = explanation_json(*row, explanation, events);
    out["rate_limits"] = rate_limits_json(parts_.governor, row->workspace);
    co_return json_answer(out);
}

Task<ServerResponse> Api::refresh(ServerRequest const& request, Params params) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto const older_than = age_wanted(request.body);
    if (!older_than) {
        co_return error_response(older_than.error());
    }
    auto const row = co_await find(std::string(params.get("id")));
    if (!row) {
        co_return error_response(row.error());
    }
    // Many programs that are told to refresh at once mean the same refresh.
    bool const young = parts_.clock.now() - row->access_issued_at < *older_than;
    if (young && row->state == ConnectionState::active) {
        co_return json_answer(connection_json(*row));
    }
    auto task = parts_.refresher.refresh(row->id, row->generation);
    auto const fresh = co_await run_on(parts_.control, std::move(task));
    if (!fresh) {
        co_return error_response(fresh.error());
    }
    co_return json_answer(connection_json(*fresh));
}

// An operator says that what was restored may be presented: the next refresh proves it.
Task<ServerResponse> Api::release(ServerRequest const& request, Params params) {
    auto const caller = authorize(request, parts_.keys, right_admin);
    if (!caller) {
        co_return error_response(caller.error());
    }
    ConnectionId const id(std::string(params.get("id")));
    auto task = parts_.vault.release(id);
    auto const released = co_await run_on(parts_.control, std::move(task));
    if (!released) {
        co_return error_response(released.error());
    }
    auto const row = co_await find(id.value());
    if (!row) {
        co_return error_response(row.error());
    }
    if (!*released) {
        co_return error_response(
            Error(ErrorCode::invalid_request, "This connection is not held back."));
    }
    log(LogLevel::info, "connection_released", "A connection that was held back goes on.",
        {{"connection", id.value()}, {"caller", caller->key_id}});
    co_return json_answer(connection_json(*row));
}

Task<ServerResponse> Api::disconnect(ServerRequest const& request, Params params) {
    auto const caller = authorize(request, parts_.keys, right_connections);
    if (!caller) {
        co_return error_response(caller.error());
    }
    auto row = co_await find(std::string(params.get("id")));
    if (!row) {
        co_return error_response(row.error());
    }
    std::vector<EventRow> events{connection_disconnected(parts_.clock.now(), *row)};
    auto task = parts_.vault.disconnect(row->id, std::move(events));
    auto const ended = co_await run_on(parts_.control, std::move(task));
    if (!ended) {
        co_return error_response(ended.error());
    }
    parts_.cache.end(row->id, row->family);
    parts_.capabilities.end(row->id);
    log(LogLevel::info, "disconnected", "A connection was ended and its tokens erased.",
        {{"connection", row->id.value()}, {"caller", caller->key_id}});
    json::object out;
    out["id"] = row->id.value();
    out["status"] = "disconnected";
    auto revoked = Revoked::not_supported;
    if (*ended) {  // the second time there is nothing left to show
        auto task_upstream = parts_.revocation.revoke(std::move(*row));
        revoked = co_await run_on(parts_.control, std::move(task_upstream));
    }
    out["upstream"] = to_string(revoked);
    out["end_the_grant_at"] =
        revoked == Revoked::yes ? json::value(nullptr) : json::value(where_grants_end);
    co_return json_answer(out);
}

}  // namespace brickgate

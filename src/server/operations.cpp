// SPDX-License-Identifier: Apache-2.0
#include "server/operations.h"

#include <algorithm>
#include <array>

#include "net/bridge.h"
#include "net/error_response.h"
#include "server/assets.h"

namespace brickgate {

namespace {

constexpr auto all_states =
    std::to_array({ConnectionState::pending, ConnectionState::active, ConnectionState::uncertain,
                   ConnectionState::host_blocked, ConnectionState::reauth_required,
                   ConnectionState::quarantined, ConnectionState::disconnected});

}  // namespace

Operations::Operations(Parts parts) : parts_(std::move(parts)) {}

void Operations::add_to(Router& router) {
    auto const add = [&](std::string pattern, Visibility visibility, RouteHandler handler) {
        router.add(
            {"GET", std::move(pattern), Audience::api, visibility, true, std::move(handler)});
    };
    add("/healthz", Visibility::both, [](ServerRequest const&, PathParams) -> Task<ServerResponse> {
        co_return json_response(200, R"({"status":"ok"})");
    });
    add("/readyz", Visibility::both,
        [this](ServerRequest const&, PathParams) -> Task<ServerResponse> {
            if (ready_) {
                co_return json_response(200, R"({"status":"ready"})");
            }
            co_return error_response(
                Error(ErrorCode::shutting_down, "The gateway is not taking requests."));
        });
    add("/metrics", Visibility::private_,
        [this](ServerRequest const&, PathParams) { return metrics(); });
    add("/openapi.yaml", Visibility::private_,
        [](ServerRequest const&, PathParams) -> Task<ServerResponse> {
            auto response =
                json_response(200, std::string(find_asset("openapi.yaml").value_or("")));
            HeaderMap headers;
            for (auto const& [name, value] : response.headers) {
                headers.add(name, name == "Content-Type" ? "application/yaml" : value);
            }
            response.headers = std::move(headers);
            co_return response;
        });
}

Task<void> Operations::gather() {
    std::vector<std::pair<std::string, std::uint64_t>> counts;
    StoreJob const job = [&counts](StoreTransaction& store) -> Result<void> {
        auto found = store.count_by_state();
        if (!found) {
            return fail(found.error());
        }
        counts = std::move(*found);
        return {};
    };
    (void)co_await parts_.vault.transact(job);
    auto& metrics = parts_.metrics;
    for (auto const state : all_states) {  // one that has emptied must not keep its last number
        std::string const name(to_string(state));
        auto const found =
            std::ranges::find(counts, name, [](auto const& row) { return row.first; });
        double const count = found == counts.end() ? 0 : static_cast<double>(found->second);
        metrics.gauge("brickgate_connections", "Connections by state.", {{"state", name}})
            .set(count);
    }
    auto const& counters = parts_.refresher.counters();
    // Only what came since the last time is added, so that this is a counter to whoever reads it.
    auto const set = [&](char const* outcome, std::uint64_t RefreshCounters::* member) {
        metrics
            .counter("brickgate_refresh_total", "Refreshes by outcome since the start.",
                     {{"outcome", outcome}})
            .add(static_cast<double>(counters.*member - told_.*member));
    };
    set("sent", &RefreshCounters::started);
    set("succeeded", &RefreshCounters::succeeded);
    set("not_spent", &RefreshCounters::not_spent);
    set("maybe_spent", &RefreshCounters::maybe_spent);
    set("protocol_error", &RefreshCounters::protocol_error);
    set("spool_ahead", &RefreshCounters::spool_ahead);
    set("reauth_required", &RefreshCounters::reauth_required);
    set("app_fault", &RefreshCounters::app_fault);
    set("host_blocked", &RefreshCounters::host_blocked);
    set("recovered_from_spool", &RefreshCounters::recovered_from_spool);
    set("presented_again", &RefreshCounters::presented_again);
    told_ = counters;
    metrics.gauge("brickgate_refresh_in_flight", "Refreshes in the air.")
        .set(static_cast<double>(parts_.refresher.in_flight()));
    metrics.gauge("brickgate_tokens_in_memory", "Access tokens in the sealed cache.")
        .set(static_cast<double>(parts_.cache.size()));
}

Task<ServerResponse> Operations::metrics() {
    auto task = gather();
    co_await run_on(parts_.control, std::move(task));
    ServerResponse response;
    response.headers.add("Content-Type", "text/plain; version=0.0.4");
    response.headers.add("Cache-Control", "no-store");
    response.headers.add("X-Content-Type-Options", "nosniff");
    response.headers.add("X-Frame-Options", "DENY");
    response.headers.add("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    response.headers.add("Referrer-Policy", "no-referrer");
    response.body = parts_.metrics.text();
    co_return response;
}

}  // namespace brickgate

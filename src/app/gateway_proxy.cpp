// SPDX-License-Identifier: Apache-2.0
// How workspaces are called for others: connections, limits, the proxy; and who may come in.
#include "app/from_config.h"
#include "app/gateway_parts.h"
#include "app/load_rate_limits.h"
#include "databricks/endpoints.h"
#include "databricks/workspace.h"
#include "oauth/metadata.h"
#include "server/assets.h"

namespace brickgate {

namespace {

constexpr double burst_factor = 10;  // ten seconds' worth may come at once

InboundLimits::Limit per_second(unsigned count) {
    return {static_cast<double>(count), count * burst_factor};
}

}  // namespace

Result<void> Gateway::Parts::open_data_plane() {
    auto const& config = loaded.config;
    UpstreamLimits limits;
    limits.answer = config.proxy.answer_timeout;
    auto shared = UpstreamShared::create(config.tls.ca_file, config.tls.proxy,
                                         own_endpoints(config.server), limits, clock);
    if (!shared) {
        return fail(shared.error());
    }
    upstream = std::move(*shared);
    auto families = load_rate_limits(find_asset("rate_limits.toml").value_or(""),
                                     config.proxy.rate_limits_file);
    if (!families) {
        return fail(families.error());
    }
    Governor::Options governing;
    governing.families = std::move(*families);
    governing.mode = governor_mode_from(config.proxy.rate_mode).value_or(GovernorMode::enforce);
    governing.queue_max = config.proxy.queue_max;
    governor =
        std::make_unique<Governor>(std::move(governing), clock, timers, runtime.control(), metrics);
    if (!config.tls.cert_file.empty()) {
        tls_files = std::make_unique<TlsFiles>(config.tls.cert_file, config.tls.key_file);
        return tls_files->load();
    }
    return {};
}

TlsSource Gateway::Parts::tls_source() const {
    if (!tls_files) {
        return {};
    }
    return [files = tls_files.get()] { return files->current(); };
}

void Gateway::Parts::open_door() {
    InboundLimits::Limits limits;
    limits.api_key = per_second(loaded.config.limits.requests_per_key);
    limits.address = per_second(loaded.config.limits.requests_per_address);
    inbound_limits = std::make_unique<InboundLimits>(limits);
    trusted_proxies = std::make_unique<TrustedProxies>(loaded.config.server.trusted_proxies);
    door = std::make_unique<Door>(Door::Parts{settings, *url_keys, *keys, *capabilities,
                                              *inbound_limits, *trusted_proxies, clock, metrics});
}

void Gateway::Parts::open_proxy() {
    auto const& config = loaded.config;
    // Every registration lists the same hosts by name.
    auto const egress = [listed = registrations.front()](std::string const& workspace) {
        EgressPolicy policy;
        policy.operator_listed = is_named_by_operator(listed->hosts, workspace) &&
                                 !databricks_host_kind(host_of(workspace)).has_value();
        policy.allowed_networks = listed->allowed_networks;
        return policy;
    };
    RequestHeaderRules headers;
    headers.extra_allowed = config.proxy.request_headers;
    headers.user_agent_suffix = "brickgate/" BRICKGATE_VERSION;
    RetryPolicy retries;
    retries.attempts_max = config.proxy.attempts_max;
    retries.time_max = config.proxy.retry_time_max;
    Proxy::Parts proxy_parts{*cache,
                             *refresher,
                             forced_refreshes,
                             *governor,
                             upstream,
                             runtime.workers(),
                             runtime.control(),
                             clock,
                             random,
                             timers,
                             metrics,
                             egress,
                             std::move(headers),
                             retries};
    proxy = std::make_unique<Proxy>(std::move(proxy_parts));
    proxy_routes = std::make_unique<ProxyRoutes>(
        ProxyRoutes::Parts{settings, *keys, *capabilities, *door, *proxy});
}

void Gateway::Parts::open_principals() {
    auto const policy = policy_of(loaded.config);
    ServicePrincipals::Parts principal_parts{registrations.at(1),
                                             *vault,
                                             *http,
                                             *discovery,
                                             clock,
                                             [this, policy](Time issued, Time expires) {
                                                 return policy.due_at(issued, expires,
                                                                      random.unit());
                                             }};
    principals = std::make_unique<ServicePrincipals>(std::move(principal_parts));
    ServicePrincipalsApi::Parts api_parts{
        *keys, *principals, runtime.control(),
        [this](Connection const& row) { refresher->replaced(row); }};
    principals_api = std::make_unique<ServicePrincipalsApi>(std::move(api_parts));
    principals_api->add_to(*router);
}

// After the listeners: what is still under way then has had its time.
Task<void> Gateway::Parts::stop_proxy() {
    governor->stop();
    co_await proxy->stop();
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "proxy/proxy.h"

#include <algorithm>

#include "net/bridge.h"
#include "net/task_group.h"
#include "proxy/proxy_call.h"

namespace brickgate {

namespace {

constexpr std::size_t origins_kept_max = 10'000;

Task<void> stop_pool(UpstreamPool& pool) {
    pool.stop();
    co_return;
}

}  // namespace

Proxy::Proxy(Parts parts)
    : parts_(std::move(parts)),
      kept_(parts_.metrics.gauge("brickgate_upstream_connections_kept",
                                 "Idle connections to workspaces.")) {
    for (Executor const& worker : parts_.workers) {
        workers_.push_back(std::make_unique<Worker>(worker, parts_.upstream));
    }
    for (int i = 1; i < 6; ++i) {
        by_class_[i] = &parts_.metrics.counter("brickgate_proxy_requests_total",
                                               "Proxied requests by the answer's class.",
                                               {{"class", std::to_string(i) + "xx"}});
    }
    parts_.metrics.before_exposition([this] {
        std::size_t kept = 0;
        for (auto const& worker : workers_) {
            kept += worker->pool.kept();
        }
        kept_.set(static_cast<double>(kept));
    });
}

Proxy::~Proxy() = default;

void Proxy::start() {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        spawn(parts_.workers[i], workers_[i]->pool.sweep());
    }
}

Task<void> Proxy::stop() {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        co_await run_on(parts_.workers[i], stop_pool(workers_[i]->pool));
    }
}

Proxy::Worker* Proxy::worker_of(Executor const& executor) const {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        if (parts_.workers[i] == executor) {
            return workers_[i].get();
        }
    }
    return nullptr;
}

// nullptr: the row's workspace is no address.
std::shared_ptr<UpstreamOrigin const> Proxy::origin_of(Worker& worker,
                                                       std::string const& workspace) {
    if (auto const known = worker.origins.find(workspace); known != worker.origins.end()) {
        return known->second;
    }
    auto origin = UpstreamOrigin::of(workspace);
    if (!origin) {
        return nullptr;
    }
    origin->egress = parts_.egress(workspace);
    if (worker.origins.size() >= origins_kept_max) {
        worker.origins.clear();
    }
    return worker.origins
        .emplace(workspace, std::make_shared<UpstreamOrigin const>(std::move(*origin)))
        .first->second;
}

void Proxy::count(int status) {
    int const hundreds = std::clamp(status / 100, 1, 5);
    by_class_[hundreds]->add();
}

Counter& Proxy::retries(std::string_view reason) {
    return parts_.metrics.counter("brickgate_proxy_retries_total", "Calls made again, by reason.",
                                  {{"reason", std::string(reason)}});
}

Task<void> Proxy::forward(Exchange& exchange, ConnectionId connection, std::string target,
                          StillAllowed still_allowed) {
    auto const executor = co_await boost::asio::this_coro::executor;
    Worker* const worker = worker_of(executor);
    if (!worker) {
        co_return;  // not a worker of ours; the session answers 500
    }
    ProxyCall call(*this, *worker, exchange, std::move(connection), std::move(target),
                   std::move(still_allowed));
    co_await call.run();
}

}  // namespace brickgate

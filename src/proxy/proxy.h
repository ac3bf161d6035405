// SPDX-License-Identifier: Apache-2.0
#pragma once
// A caller's request to its connection's workspace and the answer back, in pieces, with a fresh
// token put in. The host comes from the connection, never from the caller (T38); what passes is
// target_rules' and header_rules' to say, what is repeated retry_policy's, when a call may leave
// the governor's. forward() runs on the worker executor of the exchange and touches that worker's
// own pool of connections. A right that ends is asked for once a second and after each wait, so
// that nothing leaves for somebody whose right has ended, and what runs is broken off. Owned by the
// composition root; start() and stop() on the control executor.
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "net/metrics.h"
#include "net/server_message.h"
#include "net/timers.h"
#include "net/upstream.h"
#include "proxy/governor.h"
#include "proxy/header_rules.h"
#include "proxy/retry_policy.h"
#include "tokens/forced_refreshes.h"
#include "tokens/token_cache.h"
#include "tokens/token_source.h"

namespace brickgate {

class Proxy {
 public:
    struct Parts {
        TokenCache& cache;
        TokenSource& tokens;  // called on `control`
        ForcedRefreshes& forced;
        Governor& governor;
        std::shared_ptr<UpstreamShared> upstream;
        std::vector<Executor> workers;
        Executor control;
        Clock const& clock;
        Random& random;
        Timers& timers;
        Metrics& metrics;
        // Which addresses a workspace may have besides public ones.
        std::function<EgressPolicy(std::string const& workspace)> egress;
        RequestHeaderRules headers;
        RetryPolicy retries;
    };
    explicit Proxy(Parts parts);
    ~Proxy();

    void start();
    Task<void> stop();  // what is under way ends as broken

    // Whether the caller may still do what it asked for; on the exchange's executor.
    using StillAllowed = std::function<Result<void>()>;
    // Answers the exchange, whatever happens. `target`: origin form, below our own prefix.
    Task<void> forward(Exchange& exchange, ConnectionId connection, std::string target,
                       StillAllowed still_allowed);

 private:
    friend class ProxyCall;
    // What belongs to one worker executor.
    struct Worker {
        Worker(Executor const& executor, std::shared_ptr<UpstreamShared> shared)
            : pool(executor, std::move(shared)) {}
        UpstreamPool pool;
        // Where workspaces are, as their rows say it: taken apart once, not for each call.
        std::unordered_map<std::string, std::shared_ptr<UpstreamOrigin const>> origins;
    };
    Worker* worker_of(Executor const& executor) const;
    std::shared_ptr<UpstreamOrigin const> origin_of(Worker& worker, std::string const& workspace);
    void count(int status);
    Counter& retries(std::string_view reason);

    Parts parts_;
    std::vector<std::unique_ptr<Worker>> workers_;
    Counter* by_class_[6] = {};
    Gauge& kept_;
};

}  // namespace brickgate

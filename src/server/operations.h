// SPDX-License-Identifier: Apache-2.0
#pragma once
// Health, readiness, metrics, the contract. Any thread.
#include <atomic>

#include "net/http_server.h"
#include "net/metrics.h"
#include "net/router.h"
#include "tokens/refresher.h"
#include "vault/vault.h"

namespace brickgate {

class Operations {
 public:
    struct Parts {
        Metrics& metrics;
        Refresher const& refresher;
        Vault& vault;
        TokenCache const& cache;
        Executor control;
    };
    explicit Operations(Parts parts);
    void add_to(Router& router);
    void set_ready(bool ready) { ready_ = ready; }

 private:
    Task<ServerResponse> metrics();
    Task<void> gather();

    Parts parts_;
    RefreshCounters told_;  // as the metrics have them; control executor
    std::atomic<bool> ready_ = false;
};

}  // namespace brickgate

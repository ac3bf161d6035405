// SPDX-License-Identifier: Apache-2.0
#pragma once
// What programs call: tokens, connections, keys. Answers from memory leave on the worker thread;
// the rest hops to the control executor. No rules of its own.
#include "connect/revocation.h"
#include "net/metrics.h"
#include "net/router.h"
#include "net/runtime.h"
#include "server/settings.h"
#include "tokens/forced_refreshes.h"
#include "tokens/refresher.h"
#include "vault/api_keys.h"
#include "vault/capabilities.h"
#include "vault/vault.h"

namespace brickgate {

class Door;
class Governor;
class Login;

class Api {
 public:
    struct Parts {
        ServerSettings const& settings;
        Vault& vault;
        Refresher& refresher;
        TokenCache& cache;
        ApiKeys& keys;
        Login& login;
        Revocation& revocation;
        std::shared_ptr<Registration const> terminal;  // the public client of `brickgate login`
        Executor control;
        Clock& clock;
        Metrics& metrics;
        Capabilities& capabilities;
        ForcedRefreshes& forced;
        Governor const* governor = nullptr;  // for explain: what calls wait for
    };
    explicit Api(Parts parts);
    void add_to(Router& router);
    // The hot path: a token that is in memory, for a key that may have it.
    bool token_from_memory(ServerRequest const& request, ResponseBuffer& out, Door& door);

 private:
    using Params = PathParams;
    Task<ServerResponse> token(ServerRequest const& request, Params params);
    Task<ServerResponse> rejected(ServerRequest const& request, Params params);
    Task<ServerResponse> list(ServerRequest const& request);
    Task<ServerResponse> show(ServerRequest const& request, Params params);
    Task<ServerResponse> explained(ServerRequest const& request, Params params);
    Task<ServerResponse> refresh(ServerRequest const& request, Params params);
    Task<ServerResponse> release(ServerRequest const& request, Params params);
    Task<ServerResponse> disconnect(ServerRequest const& request, Params params);
    Task<ServerResponse> list_keys(ServerRequest const& request);
    Task<ServerResponse> create_key(ServerRequest const& request);
    Task<ServerResponse> revoke_key(ServerRequest const& request, Params params);
    Task<ServerResponse> begin_login(ServerRequest const& request);
    Task<ServerResponse> finish_login(ServerRequest const& request);
    Task<Result<Connection>> find(std::string id);
    Task<ServerResponse> fresh_token(ConnectionId id, TokenWish wish);

    Parts parts_;
    Counter& hits_;
    Counter& misses_;
};

}  // namespace brickgate

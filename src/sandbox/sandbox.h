// SPDX-License-Identifier: Apache-2.0
#pragma once
// A Databricks to practise on, and the judge of the tests: both discovery documents, sign-in and
// consent, the token endpoint, keys, a few workspace APIs, scripted faults, and a log of every
// request; docs/sandbox.md. It shares nothing with the gateway but base, the value types of oauth
// and net. All requests run on one executor; nothing here throws.
#include <functional>
#include <memory>
#include <string>

#include "net/http_server.h"
#include "net/timers.h"
#include "sandbox/faults.h"
#include "sandbox/grants.h"
#include "sandbox/signing.h"

namespace brickgate::sandbox {

struct SandboxOptions {
    std::string origin;  // http://127.0.0.1:3001, once the listener is there
    std::vector<App> apps;
    std::string state_file;  // empty: nothing outlives the process
};

class Sandbox {
 public:
    struct State;  // sandbox/state.h

    Sandbox(SandboxOptions options, Executor executor, Clock& clock, Random& random,
            Timers& timers);
    ~Sandbox();
    // For an HttpServer; may be called on any executor.
    Task<ServerResponse> handle(ServerRequest const& request);
    // Ends what is held or delayed, so that a shutdown need not wait for it. On the executor.
    void stop();

 private:
    std::unique_ptr<State> state_;
};

App demo_app(std::string redirect_uri, std::string secret);
App databricks_cli_app();

}  // namespace brickgate::sandbox

// SPDX-License-Identifier: Apache-2.0
#pragma once
// The practice Databricks behind a listener of its own, on the runtime of whoever runs it.
#include <memory>
#include <string>
#include <vector>

#include "net/http_server.h"
#include "net/runtime.h"
#include "net/system_ports.h"
#include "net/timers.h"
#include "sandbox/sandbox.h"

namespace brickgate::cli {

// Where a client of this machine finds a listener: "0.0.0.0:3001" is http://127.0.0.1:3001 to it.
std::string origin_of_listener(std::string_view address);

class SandboxServer {
 public:
    explicit SandboxServer(Runtime& runtime);
    // Gives its origin, by which clients know it: `origin`, or where it listens if that is empty.
    Result<std::string> listen(std::string const& address, std::vector<sandbox::App> apps,
                               std::string state_file, std::string const& origin = "");

 private:
    Runtime& runtime_;
    SystemClock clock_;
    SystemRandom random_;
    AsioTimers timers_{clock_};
    std::string origin_;
    std::unique_ptr<sandbox::Sandbox> sandbox_;
    std::unique_ptr<HttpServer> server_;
};

}  // namespace brickgate::cli

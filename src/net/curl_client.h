// SPDX-License-Identifier: Apache-2.0
#pragma once
// HttpClient on libcurl's multi interface, on a thread of its own. https only, but for loopback
// hosts that the operator listed; addresses are judged in the connect (address_guard.h); nothing
// ambient is used: no proxy, netrc, cookie, key log from the environment (T28 to T34). A host whose
// name server hangs keeps its own requests waiting and nobody else's, and a name that does not
// resolve is not asked for again for five seconds (T36). Any executor may call.
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/http_client.h"

namespace brickgate {

struct CurlOptions {
    std::string ca_file = {};  // PEM, trusted besides the system's
    std::string proxy = {};    // http://host:port; empty: none. The guard then sees only the proxy
    std::vector<std::string> own_endpoints = {};  // ADDR:PORT we listen on: never connected to
    std::size_t in_flight_max = 256;
    std::size_t in_flight_per_host_max = 64;  // so that one dead host leaves room for the others
    std::size_t queue_max = 4096;
};

class CurlClient final : public HttpClient {
 public:
    // config_invalid: the CA file cannot be read, the proxy is not one.
    static Result<std::unique_ptr<CurlClient>> create(CurlOptions options, Clock const& clock);
    ~CurlClient() override;  // what is under way ends with shutting_down
    Task<HttpAnswer> send(HttpRequest request, HttpLimits limits) override;

 private:
    struct State;
    explicit CurlClient(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace brickgate

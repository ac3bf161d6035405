// SPDX-License-Identifier: Apache-2.0
#pragma once
// Takes the one answer of a sign-in on loopback (RFC 8252 section 7.3). On both addresses of
// localhost, or another program on the second one could take the code; a request that is not the
// answer to our state (a favicon, a probe, a page that guesses) gets a 404 and changes nothing
// (B66). A thread of its own; the calling one waits.
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"
#include "net/http_server.h"
#include "net/runtime.h"
#include "net/system_ports.h"

namespace brickgate::cli {

class Receiver {
 public:
    Receiver();
    ~Receiver();

    // The first pair of free ports between the two. Errors: address_in_use.
    Result<int> listen(int first_port, int last_port);
    void expect(std::string state);
    // The raw query of the answer; nullopt when nobody came in time. `tell` once a minute.
    // The browser is shown an address without it: it is waited for until it asks there, for a
    // second at most.
    std::optional<std::string> wait(Seconds patience,
                                    std::function<void(Seconds left)> const& tell);
    void close();  // lets the page that says thank you leave first

 private:
    Task<ServerResponse> handle(ServerRequest const& request);
    bool is_answer(ServerRequest const& request) const;

    SystemClock clock_;
    Runtime runtime_;
    std::unique_ptr<HttpServer> server_;
    std::thread thread_;
    std::promise<std::string> query_;
    std::promise<void> shown_;
    std::string state_;
    std::atomic<bool> expecting_ = false;
    std::atomic<bool> taken_ = false;
    std::atomic<bool> thanked_ = false;
};

}  // namespace brickgate::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once
// The way between a process and the workspaces. A request takes time, is served or not, and its
// answer comes, comes broken, or is lost; all of that goes on when the process is gone. What a
// failure says of itself (not sent, maybe sent) is what net/curl_client says of the same.
#include "sim/world.h"

namespace brickgate::sim {

class SimHttp final : public HttpClient {
 public:
    SimHttp(World& world, std::string node, std::shared_ptr<Process> process,
            std::function<void()> at_door)
        : world_(world),
          node_(std::move(node)),
          process_(std::move(process)),
          at_door_(std::move(at_door)) {}

    Task<HttpAnswer> send(HttpRequest request, HttpLimits limits) override;

 private:
    struct Call;
    Task<HttpAnswer> ask(HttpRequest request, HttpLimits limits);
    Task<HttpAnswer> present(HttpRequest request, HttpLimits limits);
    void transmit(std::shared_ptr<Call> const& call);
    bool refuse_at_the_door(std::shared_ptr<Call> const& call, Milliseconds there);
    static TokenAnswer serve(World& world, Call& call, Process const& client);
    void answer(std::shared_ptr<Call> const& call, Milliseconds back, HttpAnswer what,
                Presentation::Outcome outcome);
    void break_off(std::shared_ptr<Call> const& call, Milliseconds when);
    Milliseconds travel();

    World& world_;
    std::string node_;
    std::shared_ptr<Process> process_;
    std::function<void()> at_door_;
};

}  // namespace brickgate::sim

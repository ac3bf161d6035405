// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which requests are streamed, and by whom: asked for every request before its body is read, so a
// streamer decides by a few comparisons of the path. Requests that nobody takes go to the Router.
// Filled at start, then immutable; any thread.
#include <functional>
#include <utility>
#include <vector>

#include "net/server_message.h"

namespace brickgate {

class Streams {
 public:
    using Takes = std::function<bool(ServerRequest const&)>;

    // The first one that takes a request has it.
    void add(Takes takes, StreamHandler handler);
    bool takes(ServerRequest const& request) const;
    Task<void> handle(Exchange& exchange) const;

 private:
    StreamHandler const* find(ServerRequest const& request) const;
    std::vector<std::pair<Takes, StreamHandler>> streamers_;
};

}  // namespace brickgate

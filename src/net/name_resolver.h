// SPDX-License-Identifier: Apache-2.0
#pragma once
// Names to addresses for the proxy's connections, off everybody's thread: a name whose server hangs
// keeps its own callers waiting and nobody else's (T36). One look-up a name at a time; answers are
// kept half a minute, failures five seconds. Whoever connects judges the address itself
// (address_guard.h), so a cached answer is no hole. Any thread; callers resume at home.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/address_guard.h"
#include "net/task.h"

namespace brickgate {

class NameResolver {
 public:
    explicit NameResolver(Clock const& clock);
    ~NameResolver();
    NameResolver(NameResolver const&) = delete;
    NameResolver& operator=(NameResolver const&) = delete;

    // At least one address. Errors: upstream_unreachable, upstream_timeout.
    Task<Result<std::vector<IpAddress>>> resolve(std::string host);

 private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace brickgate

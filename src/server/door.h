// SPDX-License-Identifier: Apache-2.0
#pragma once
// What every request must pass before anything else looks at it: one of our names as its Host
// (T54), no key in its address (T49), JSON that says it is JSON, which no web page can send without
// asking first (T55), and no caller that asks more often than it may (T50). Those
// of this very machine are limited by their keys alone, since a product beside us asks for
// everybody. Any thread.
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "net/metrics.h"
#include "server/access.h"
#include "server/client_address.h"
#include "server/inbound_limits.h"
#include "server/settings.h"

namespace brickgate {

class Door {
 public:
    struct Parts {
        ServerSettings const& settings;
        UrlKeys& url_keys;
        InboundLimits& limits;
        TrustedProxies const& proxies;
        Clock const& clock;
        Metrics& metrics;
    };
    explicit Door(Parts parts);

    // misdirected_request; key_in_url; unsupported_media_type; rate_limited, with the whole seconds
    // to wait.
    std::optional<Error> refuse(ServerRequest const& request);
    // After an answer of 401: guessing is slowed down, whatever is guessed.
    std::optional<Error> refuse_guess(ServerRequest const& request);

 private:
    std::optional<Error> limited(InboundClass kind, std::string_view name);
    std::optional<InboundClass> class_of_page(ServerRequest const& request) const;

    Parts parts_;
    Counter& refused_;
};

}  // namespace brickgate

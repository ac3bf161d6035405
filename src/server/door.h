// SPDX-License-Identifier: Apache-2.0
#pragma once
// What every request must pass before anything else looks at it: one of our names as its Host
// (T54), no key in its address (T49), JSON that says it is JSON, which no web page can send without
// asking first (T55), and no caller that asks more often than it may (T50). A key or capability is
// a name only once its secret was looked at: what is not genuine counts for the address that sent
// it. Those of this very machine are limited by their keys alone, since a product beside us asks
// for everybody; but for what a page of another site has its browser send. Any thread.
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
        ApiKeys const& keys;
        Capabilities const& capabilities;
        InboundLimits& limits;
        TrustedProxies const& proxies;
        Clock const& clock;
        Metrics& metrics;
    };
    explicit Door(Parts parts);

    // misdirected_request; key_in_url; unsupported_media_type; rate_limited, with the whole seconds
    // to wait.
    std::optional<Error> refuse(ServerRequest const& request);
    // The same in two parts, for who has looked at the caller's secret already: what needs no
    // caller, and the share of the key with this id.
    std::optional<Error> refuse_form(ServerRequest const& request);
    std::optional<Error> refuse_caller(std::string_view verified_id);
    // After an answer of 401: guessing is slowed down, whatever is guessed.
    std::optional<Error> refuse_guess(ServerRequest const& request);

 private:
    std::optional<Error> limited(InboundClass kind, std::string_view name);
    std::optional<std::string> verified_id(ServerRequest const& request) const;
    std::optional<Error> refuse_page(ServerRequest const& request, std::string_view client);
    std::optional<InboundClass> class_of_page(ServerRequest const& request) const;

    Parts parts_;
    Counter& refused_;
};

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who is calling: an API key in the Authorization header, or a process of our own user on the data
// folder's socket. Never a query parameter, never a cookie: a key that stands in an address is
// refused and noted as leaked (T49). Any thread.
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/runtime.h"
#include "net/server_message.h"
#include "vault/api_keys.h"
#include "vault/capabilities.h"

namespace brickgate {

inline constexpr std::string_view right_token = "token:read";
inline constexpr std::string_view right_connections = "connections";
inline constexpr std::string_view right_proxy = "proxy";
inline constexpr std::string_view right_admin = "admin";

// What stands after "Bearer " in the one Authorization header; nullopt where there is none, another
// scheme, or two headers.
std::optional<std::string_view> bearer_of(ServerRequest const& request);

// A process of this user, or root, on a local socket: the kernel says so.
bool is_own_process(ServerRequest const& request);

// Errors: unauthorized, forbidden (the message names the right).
Result<Caller> authorize(ServerRequest const& request, ApiKeys const& keys, std::string_view right);

// Whether a key or capability, perhaps escaped, stands in the query, or in the path anywhere but in
// "<base>/m/", where the metadata service has them.
bool has_key_in_url(ServerRequest const& request, std::string_view base_path);

// Addresses stand in the logs of whatever is between a program and us. So such a request is refused
// and a genuine key noted, in the list and in our log; it is not revoked, for a product may live on
// it. To be asked before anything else looks at a request.
class UrlKeys {
 public:
    struct Parts {
        std::string base_path;
        ApiKeys& keys;
        Capabilities& capabilities;
        Executor control;
    };
    explicit UrlKeys(Parts parts) : parts_(std::move(parts)) {}
    // key_in_url, the same for a key that is genuine and one that is not. nullopt: none is there.
    std::optional<Error> refuse(ServerRequest const& request);

 private:
    void note(std::string_view bearer);
    Task<void> note_key(std::string id);
    Task<void> note_capability(std::string id);

    Parts parts_;
};

}  // namespace brickgate

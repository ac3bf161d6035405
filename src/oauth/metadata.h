// SPDX-License-Identifier: Apache-2.0
#pragma once
// What an authorization server says of itself (RFC 8414), and how much of it is believed. Pure.
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/http_message.h"
#include "base/result.h"
#include "oauth/types.h"

namespace brickgate {

struct ServerMetadata {
    Issuer issuer;
    std::string authorization_endpoint;
    std::string token_endpoint;
    std::string jwks_uri;  // empty: no id_token is expected
    std::optional<std::string> revocation_endpoint;
    bool iss_parameter_supported = false;  // RFC 9207
};

// Whom to believe (T13). The two functions are the caller's knowledge of hosts; empty ones refuse.
struct MetadataPolicy {
    Issuer issuer_expected;
    bool plain_http = false;  // an operator-listed loopback host
    std::function<bool(std::string_view issuer)> other_issuer_allowed;  // unified hosts
    std::function<bool(std::string_view host)> jwks_host_allowed;       // regional control planes
};

HttpRequest make_discovery_request(std::string url);
Result<ServerMetadata> parse_discovery_response(HttpResponse const& response,
                                                MetadataPolicy const& policy);

// scheme://host[:port] of an absolute URL, lower case; empty if it is none.
std::string origin_of(std::string_view url);
std::string host_of(std::string_view url);  // without port

}  // namespace brickgate

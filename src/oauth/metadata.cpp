// SPDX-License-Identifier: Apache-2.0
#include "oauth/metadata.h"

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "base/json.h"

namespace brickgate {

namespace {

std::unexpected<Error> denied(std::string_view what) {
    return fail(ErrorCode::metadata_endpoint_denied,
                "The discovery document names a " + std::string(what) +
                    " that is not used: it must be https, on the "
                    "issuer's own host, without query or fragment.");
}

bool is_clean(boost::urls::url_view const& url, bool plain_http) {
    bool const scheme = url.scheme() == "https" || (plain_http && url.scheme() == "http");
    return scheme && !url.has_userinfo() && !url.has_query() && !url.has_fragment() &&
           !url.encoded_host().empty();
}

bool lists(json::object const& document, std::string_view key, std::string_view value) {
    auto const* const list = array_at(document, key);
    return list && std::ranges::any_of(*list, [&](json::value const& entry) {
               return entry.is_string() && std::string_view(entry.get_string()) == value;
           });
}

// T13: an endpoint must be on the issuer's own host.
bool is_own_endpoint(std::string_view url, std::string_view issuer, bool plain_http) {
    auto const parsed = boost::urls::parse_absolute_uri(url);
    return parsed && is_clean(*parsed, plain_http) && origin_of(url) == origin_of(issuer);
}

Result<void> check_issuer(std::string_view issuer, MetadataPolicy const& policy) {
    if (issuer == policy.issuer_expected.value()) {
        return {};
    }
    auto const parsed = boost::urls::parse_absolute_uri(issuer);
    bool const allowed = parsed && is_clean(*parsed, false) && policy.other_issuer_allowed &&
                         policy.other_issuer_allowed(issuer);
    if (allowed) {
        return {};
    }
    return fail(Error(ErrorCode::metadata_invalid,
                      "The discovery document names another issuer than the one asked for.")
                    .with_detail(issuer));
}

Result<void> check_keys(ServerMetadata const& found, MetadataPolicy const& policy) {
    if (found.jwks_uri.empty()) {
        return {};
    }
    auto const parsed = boost::urls::parse_absolute_uri(found.jwks_uri);
    if (!parsed || !is_clean(*parsed, policy.plain_http)) {
        return denied("key address");
    }
    bool const own = origin_of(found.jwks_uri) == origin_of(found.issuer.value());
    bool const regional = parsed->scheme() == "https" && policy.jwks_host_allowed &&
                          policy.jwks_host_allowed(host_of(found.jwks_uri));
    if (!own && !regional) {
        return denied("key address");
    }
    return {};
}

Result<ServerMetadata> read(json::object const& document, MetadataPolicy const& policy) {
    ServerMetadata found;
    auto const issuer = string_at(document, "issuer");
    auto const authorize = string_at(document, "authorization_endpoint");
    auto const token = string_at(document, "token_endpoint");
    if (!issuer || !authorize || !token) {
        return fail(ErrorCode::metadata_invalid,
                    "The discovery document lacks its issuer or an endpoint.");
    }
    if (auto const checked = check_issuer(*issuer, policy); !checked) {
        return fail(checked.error());
    }
    if (!is_own_endpoint(*authorize, *issuer, policy.plain_http)) {
        return denied("sign-in address");
    }
    if (!is_own_endpoint(*token, *issuer, policy.plain_http)) {
        return denied("token endpoint");
    }
    if (!lists(document, "code_challenge_methods_supported", "S256")) {
        return fail(ErrorCode::pkce_unsupported, "This server does not offer PKCE with S256.");
    }
    found.issuer = Issuer(std::string(*issuer));
    found.authorization_endpoint = *authorize;
    found.token_endpoint = *token;
    found.jwks_uri = string_at(document, "jwks_uri").value_or("");
    if (auto const checked = check_keys(found, policy); !checked) {
        return fail(checked.error());
    }
    if (auto const revoke = string_at(document, "revocation_endpoint");
        revoke && is_own_endpoint(*revoke, *issuer, policy.plain_http)) {
        found.revocation_endpoint = std::string(*revoke);
    }
    found.iss_parameter_supported =
        bool_at(document, "authorization_response_iss_parameter_supported").value_or(false);
    return found;
}

}  // namespace

HttpRequest make_discovery_request(std::string url) {
    HttpRequest request;
    request.url = std::move(url);
    request.headers.add("Accept", "application/json");
    return request;
}

Result<ServerMetadata> parse_discovery_response(HttpResponse const& response,
                                                MetadataPolicy const& policy) {
    if (response.status == 404) {
        return fail(ErrorCode::oauth_unsupported,
                    "There is no OAuth discovery document at this host.");
    }
    if (response.status != 200) {
        return fail(ErrorCode::discovery_failed,
                    "The discovery document could not be read: status " +
                        std::to_string(response.status) + ".");
    }
    return response.body.expose([&](std::string_view text) -> Result<ServerMetadata> {
        auto const parsed = parse_json(text);
        if (!parsed || !parsed->is_object()) {
            return fail(ErrorCode::metadata_invalid,
                        "The discovery document is not a JSON object.");
        }
        return read(parsed->get_object(), policy);
    });
}

std::string origin_of(std::string_view url) {
    auto const parsed = boost::urls::parse_absolute_uri(url);
    if (!parsed || parsed->encoded_host().empty()) {
        return {};
    }
    std::string out(parsed->scheme());
    out += "://";
    out += std::string_view(parsed->encoded_host());
    bool const default_port = (parsed->scheme() == "https" && parsed->port() == "443") ||
                              (parsed->scheme() == "http" && parsed->port() == "80");
    if (parsed->has_port() && !parsed->port().empty() && !default_port) {
        out += ':';
        out += std::string_view(parsed->port());
    }
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    return out;
}

std::string host_of(std::string_view url) {
    auto const parsed = boost::urls::parse_absolute_uri(url);
    if (!parsed) {
        return {};
    }
    std::string out(std::string_view(parsed->encoded_host()));
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    return out;
}

}  // namespace brickgate

// SPDX-License-Identifier: Apache-2.0
#include "oauth/token_endpoint.h"

#include <algorithm>
#include <charconv>

#include "base/encoding.h"
#include "base/json.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t body_bytes_max = 64 * 1024;
constexpr std::size_t token_bytes_max = 16 * 1024;
constexpr std::int64_t expires_in_max = 31'536'000;  // a year; any token is renewed long before
constexpr Seconds life_when_unsaid = 5min;           // the shortest that Databricks allows

Secret form_of(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
    std::string out;
    std::size_t size = 0;
    for (auto const& [name, value] : fields) {
        size += name.size() + 3 * value.size() + 2;
    }
    out.reserve(size);  // no reallocation leaves a copy behind
    for (auto const& [name, value] : fields) {
        if (!out.empty()) {
            out += '&';
        }
        std::string encoded = form_encode(value);
        out.append(name).append("=").append(encoded);
        wipe(encoded);
    }
    return Secret::from(std::move(out));
}

std::unexpected<Error> malformed(std::string message) {
    return fail(ErrorCode::token_malformed, std::move(message));
}

Result<Secret> token_at(json::object const& body, std::string_view key) {
    auto const text = string_at(body, key);
    if (!text || text->empty()) {
        return malformed("The token answer has no usable " + std::string(key) + ".");
    }
    if (text->size() > token_bytes_max) {
        return fail(ErrorCode::token_too_large, "A token in the answer is longer than 16 KiB.");
    }
    if (!std::ranges::all_of(*text, [](char c) { return c > 0x20 && c < 0x7F; })) {
        return malformed("A token in the answer has characters that no token has.");
    }
    return Secret::copy_of(*text);
}

// The exp of a JWT, as a hint where the server does not say how long the token lives; never trusted
// further. One that has passed already would have us refresh without end, so it says nothing.
std::optional<Time> expiry_hint(Secret const& token, Time received_at) {
    return token.expose([&](std::string_view text) -> std::optional<Time> {
        auto const first = text.find('.');
        auto const second = text.find('.', first + 1);
        if (first == std::string_view::npos || second == std::string_view::npos) {
            return std::nullopt;
        }
        auto const claims = base64url_decode(text.substr(first + 1, second - first - 1));
        if (!claims) {
            return std::nullopt;
        }
        auto const parsed = parse_json(*claims);
        if (!parsed || !parsed->is_object()) {
            return std::nullopt;
        }
        auto const exp = integer_at(parsed->get_object(), "exp");
        auto const now = std::chrono::floor<Seconds>(received_at).time_since_epoch().count();
        if (!exp || *exp <= now || *exp > now + expires_in_max) {
            return std::nullopt;
        }
        return Time(Seconds(*exp));
    });
}

// A number, or the digits of one in a string (databricks-facts 3.1).
Result<std::optional<Seconds>> expires_in_of(json::object const& body) {
    auto const* const value = body.if_contains("expires_in");
    if (!value || value->is_null()) {
        return std::nullopt;
    }
    std::int64_t seconds = 0;
    if (auto const* text = value->if_string()) {
        auto const [end, failed] =
            std::from_chars(text->data(), text->data() + text->size(), seconds);
        if (failed != std::errc() || end != text->data() + text->size()) {
            seconds = 0;
        }
    } else if (auto const* number = value->if_double()) {  // 3600.0 is the number 3600 too
        seconds = *number >= 1 && *number <= static_cast<double>(expires_in_max)
                      ? static_cast<std::int64_t>(*number)
                      : 0;
    } else {
        seconds = integer_at(body, "expires_in").value_or(0);
    }
    if (seconds < 1 || seconds > expires_in_max) {
        return malformed("The token answer's expires_in is out of range.");
    }
    return Seconds(seconds);
}

Result<void> check_encoding(HttpResponse const& response) {
    auto const encoding = response.headers.get("Content-Encoding");
    if (encoding && !encoding->empty() && !equals_ignoring_case(*encoding, "identity")) {
        return malformed("The token answer is compressed, which was not asked for.");
    }
    return {};
}

Result<TokenSet> read(json::object const& body, Time received_at) {
    TokenSet tokens;
    auto const type = string_at(body, "token_type");
    if (!type || !equals_ignoring_case(*type, "bearer")) {
        return fail(ErrorCode::token_type_unknown, "The token answer's token_type is not Bearer.");
    }
    auto access = token_at(body, "access_token");
    if (!access) {
        return fail(access.error());
    }
    auto const expires_in = expires_in_of(body);
    if (!expires_in) {
        return fail(expires_in.error());
    }
    if (*expires_in) {
        tokens.expires_at = received_at + **expires_in;
    } else {
        tokens.expires_at =
            expiry_hint(*access, received_at).value_or(received_at + life_when_unsaid);
    }
    tokens.access = AccessToken(std::move(*access));
    if (body.contains("refresh_token") && !body.at("refresh_token").is_null()) {
        auto refresh = token_at(body, "refresh_token");
        if (!refresh) {
            return fail(refresh.error());
        }
        tokens.refresh = RefreshToken(std::move(*refresh));
    }
    if (body.contains("id_token") && !body.at("id_token").is_null()) {
        auto id_token = token_at(body, "id_token");
        if (!id_token) {
            return fail(id_token.error());
        }
        tokens.id_token = IdToken(std::move(*id_token));
    }
    if (auto const scope = string_at(body, "scope")) {
        tokens.scopes = Scopes::parse(*scope);
        if (!tokens.scopes) {
            return malformed("The token answer's scope is malformed.");
        }
    }
    return tokens;
}

Result<TokenSet> read_body(std::string_view text, Time received_at) {
    if (text.size() > body_bytes_max) {
        return fail(ErrorCode::token_too_large, "The token answer is longer than 64 KiB.");
    }
    auto const parsed = parse_json(text);
    if (!parsed) {
        if (parsed.error() == JsonFault::duplicate_key) {
            return fail(ErrorCode::token_duplicate_key, "The token answer has a key twice.");
        }
        bool const page = text.find_first_not_of(" \t\r\n") != std::string_view::npos &&
                          text[text.find_first_not_of(" \t\r\n")] == '<';
        if (page) {
            return fail(ErrorCode::host_blocked, "A web page came instead of a token answer.");
        }
        return malformed("The token answer is not JSON that we accept.");
    }
    if (!parsed->is_object()) {
        return malformed("The token answer is not a JSON object.");
    }
    return read(parsed->get_object(), received_at);
}

}  // namespace

HttpRequest make_code_request(std::string token_endpoint, ClientAuthentication const& client,
                              ValidatedCode&& code, RedirectUri const& redirect_uri,
                              PkceVerifier const& verifier) {
    Secret form = code.expose([&](std::string_view code_text) {
        return verifier.secret().expose([&](std::string_view verifier_text) {
            return form_of({{"grant_type", "authorization_code"},
                            {"code", code_text},
                            {"redirect_uri", redirect_uri.value()},
                            {"code_verifier", verifier_text}});
        });
    });
    return client.post(std::move(token_endpoint), std::move(form));
}

HttpRequest make_refresh_request(std::string token_endpoint, ClientAuthentication const& client,
                                 RefreshToken const& token) {
    Secret form = token.expose([](std::string_view text) {
        return form_of({{"grant_type", "refresh_token"}, {"refresh_token", text}});
    });
    return client.post(std::move(token_endpoint), std::move(form));
}

HttpRequest make_revocation_request(std::string endpoint, ClientAuthentication const& client,
                                    RefreshToken const& token) {
    Secret form = token.expose([](std::string_view text) {
        return form_of({{"token", text}, {"token_type_hint", "refresh_token"}});
    });
    return client.post(std::move(endpoint), std::move(form));
}

HttpRequest make_revocation_request(std::string endpoint, ClientAuthentication const& client,
                                    AccessToken const& token) {
    Secret form = token.expose([](std::string_view text) {
        return form_of({{"token", text}, {"token_type_hint", "access_token"}});
    });
    return client.post(std::move(endpoint), std::move(form));
}

HttpRequest make_client_credentials_request(std::string token_endpoint,
                                            ClientAuthentication const& client,
                                            Scopes const& scopes) {
    if (scopes.empty()) {
        return client.post(std::move(token_endpoint),
                           form_of({{"grant_type", "client_credentials"}}));
    }
    return client.post(std::move(token_endpoint), form_of({{"grant_type", "client_credentials"},
                                                           {"scope", scopes.to_string()}}));
}

Result<TokenSet> parse_token_response(HttpResponse const& response, Time received_at) {
    if (response.status < 200 || response.status >= 300) {
        return fail(token_endpoint_error(response, received_at));
    }
    if (auto const checked = check_encoding(response); !checked) {
        return fail(checked.error());
    }
    return response.body.expose(
        [&](std::string_view text) { return read_body(text, received_at); });
}

}  // namespace brickgate
